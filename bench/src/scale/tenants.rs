//! The tenants: how much each holds, and where its key leads.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use timedb_core::key;
use uuid::Builder;

/// So many values a tenant holds on average: the smallest of 100,000 still hold some thousands, and nothing is lost by
/// counting in whole ones.
const MEAN: f64 = 1e6;

/// Zipf's law: the tenant of rank r holds r^-exponent of what the largest one does. Largest first.
///
/// Sizes at their ranks, not draws from the law (which is Pareto's of the index 1/exponent): a draw differs from the next mostly in
/// its largest tenant, and would hide what placement does.
pub fn values(tenants: usize, exponent: f64) -> Vec<u64> {
    let shares: Vec<f64> = (1..=tenants).map(|rank| (rank as f64).powf(-exponent)).collect();
    let unit = MEAN * tenants as f64 / shares.iter().sum::<f64>();
    shares.iter().map(|share| (share * unit).round() as u64).collect()
}

/// Each tenant's route, of ids that are drawn.
pub fn routes(tenants: usize, seed: u64) -> Vec<u16> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..tenants)
        .map(|_| Builder::from_random_bytes(random.random()).into_uuid())
        .map(key::route_of_tenant)
        .collect()
}

/// The logical shard of a route, of 2^n of them. PL/Proxy takes the lowest bits; of a SHA-256, any would do.
pub fn shard(route: u16, shards: usize) -> usize {
    debug_assert!(shards.is_power_of_two());
    usize::from(route) & (shards - 1)
}

#[cfg(test)]
mod tests {
    use super::{routes, shard, values};

    #[test]
    fn the_second_tenant_of_zipfs_law_has_half_of_what_the_first_has() {
        let values = values(1_000, 1.0);
        assert_eq!(values[0].div_ceil(2), values[1]);
        assert!(values.is_sorted_by(|a, b| a >= b));
        let mean = values.iter().sum::<u64>() / 1_000;
        assert!((999_999..=1_000_001).contains(&mean), "{mean}");
    }

    #[test]
    fn a_seed_draws_the_same_tenants_every_time() {
        assert_eq!(routes(100, 7), routes(100, 7));
        assert_ne!(routes(100, 7), routes(100, 8));
    }

    #[test]
    fn a_shard_that_is_split_gives_its_tenants_to_its_own_parts_alone() {
        for route in routes(1_000, 1) {
            assert!(shard(route, 1_024) < 1_024);
            assert_eq!(shard(route, 1_024) % 64, shard(route, 64));
        }
    }
}

//! How full servers and shards are, and how evenly.

use std::cmp::Reverse;

/// Values, of a tenant, a shard or a server.
pub type Weight = u64;

/// What lies in each place, where `places[i]` is that of `weights[i]`.
pub fn loads(weights: &[Weight], places: &[usize], count: usize) -> Vec<Weight> {
    let mut loads = vec![0; count];
    for (weight, &place) in weights.iter().zip(places) {
        loads[place] += weight;
    }
    loads
}

/// The largest over the mean: 1 is perfectly even.
pub fn skew(loads: &[Weight]) -> f64 {
    let largest = loads.iter().max().copied().unwrap_or_default();
    (largest * loads.len() as Weight) as f64 / loads.iter().sum::<Weight>() as f64
}

/// The places of weights, in an order that is the same every time.
pub fn heaviest_first(weights: &[Weight]) -> impl Iterator<Item = usize> + use<> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&at| Reverse(weights[at]));
    order.into_iter()
}

pub fn lightest(loads: &[Weight]) -> usize {
    let least = loads.iter().enumerate().min_by_key(|(_, load)| **load);
    least.map_or(0, |(at, _)| at)
}

pub fn heaviest(loads: &[Weight]) -> usize {
    heaviest_first(loads).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{heaviest, lightest, loads, skew};

    #[test]
    fn the_largest_over_the_mean_is_one_where_all_are_even() {
        assert_eq!(skew(&[5, 5, 5]), 1.0);
        assert_eq!(skew(&[9, 3, 0]), 2.25);
    }

    #[test]
    fn of_equals_the_first_is_meant() {
        assert_eq!(loads(&[1, 2, 3, 4], &[0, 1, 0, 1], 3), [4, 6, 0]);
        assert_eq!((heaviest(&[4, 6, 6]), lightest(&[4, 4, 6])), (1, 0));
    }
}

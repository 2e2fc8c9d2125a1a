//! The numbers by which a tenant's locks are known: they tell neither the tenant's id nor, without the secret, whether they are a
//! certain tenant's.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Tenants that share one wait for each other, and no more.
pub fn number(secret: &[u8], tenant: Uuid) -> u64 {
    first_bytes(Sha256::new().chain_update(secret).chain_update(tenant))
}

/// One of 48 bits, where the lock has no other place for the database.
pub fn number_in(secret: &[u8], database: u32, tenant: Uuid) -> u64 {
    let hash = Sha256::new().chain_update(secret).chain_update(database.to_be_bytes());
    first_bytes(hash.chain_update(tenant)) >> 16
}

/// That of one of the shares that a tenant's series are in.
pub fn number_of_share(secret: &[u8], tenant: Uuid, share: u8) -> u64 {
    let hash = Sha256::new().chain_update(secret).chain_update(tenant);
    first_bytes(hash.chain_update([share]))
}

/// How many shares there are. Locks are in a table that all backends share: one for each of many series would fill it.
pub const SHARES: u8 = 64;

/// The share of a series. The last bits of an id are random.
pub fn share(series: Uuid) -> u8 {
    series.as_bytes()[15] % SHARES
}

fn first_bytes(hash: Sha256) -> u64 {
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::{number, number_in, number_of_share};
    use uuid::Uuid;

    #[test]
    fn a_number_is_that_of_one_tenant_and_one_secret() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(number(b"secret", a), number(b"secret", a));
        assert_ne!(number(b"secret", a), number(b"secret", b));
        assert_ne!(number(b"secret", a), number(b"other", a));
        assert_ne!(number(b"secret", a), number_of_share(b"secret", a, 0));
        assert_ne!(number_of_share(b"secret", a, 1), number_of_share(b"secret", a, 0));
        assert_ne!(number_of_share(b"secret", a, 0), number_of_share(b"secret", b, 0));
        for secret in [&b""[..], b"secret"] {
            assert_ne!(number(secret, a), 1);
        }
    }

    #[test]
    fn one_of_48_bits_is_also_that_of_one_database() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let number = number_in(b"secret", 5, a);
        assert_eq!(number, number_in(b"secret", 5, a));
        assert!((1 << 32..1 << 48).contains(&number), "{number:x}");
        for other in [
            number_in(b"secret", 6, a),
            number_in(b"secret", 5, b),
            number_in(b"other", 5, a),
            super::number(b"secret", a) >> 16,
        ] {
            assert_ne!(number, other);
        }
    }
}

//! The number by which a tenant's lock is known: it tells neither the tenant's id nor, without the secret, whether it is a
//! certain tenant's.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Tenants that share one wait for each other, and no more.
pub fn number(secret: &[u8], tenant: Uuid) -> u64 {
    let digest = Sha256::new().chain_update(secret).chain_update(tenant).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::number;
    use uuid::Uuid;

    #[test]
    fn a_number_is_that_of_one_tenant_and_one_secret() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(number(b"secret", a), number(b"secret", a));
        assert_ne!(number(b"secret", a), number(b"secret", b));
        assert_ne!(number(b"secret", a), number(b"other", a));
        for secret in [&b""[..], b"secret"] {
            assert_ne!(number(secret, a), 1);
        }
    }
}

//! An API key's format: how one is made, checked without a lookup, and hashed. Pure; it knows neither users nor tables.
//!
//! `tdb_` and base64url of 36 bytes: a 2-byte route taken from the tenant id, 30 random bytes, and a CRC-32 of what
//! precedes it, so that a typo or a truncation is refused before anything is looked up.
//!
//! Keys that were brought along from the original service are base64url of 32 random bytes and nothing else: they have no
//! prefix, no route and no checksum. None is ever made here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};
use uuid::Uuid;

const PREFIX: &str = "tdb_";
const ROUTE_BYTES: usize = 2;
const SECRET_BYTES: usize = 30;
const CHECKED_BYTES: usize = ROUTE_BYTES + SECRET_BYTES;
const KEY_BYTES: usize = CHECKED_BYTES + 4;

/// The length of every key, in characters.
pub const KEY_LENGTH: usize = PREFIX.len() + KEY_BYTES / 3 * 4;

/// The length of a key of the original service, in characters, and what it decodes to.
pub const IMPORTED_LENGTH: usize = 43;
const IMPORTED_BYTES: usize = 32;

/// The operating system gave no random bytes.
#[derive(Debug)]
pub struct NoRandomness;

/// A new key for a tenant: to be shown once, and stored only as its [`hash`].
pub fn make(tenant: Uuid) -> Result<String, NoRandomness> {
    let mut bytes = [0; KEY_BYTES];
    bytes[..ROUTE_BYTES].copy_from_slice(&route(tenant));
    SysRng
        .try_fill_bytes(&mut bytes[ROUTE_BYTES..CHECKED_BYTES])
        .map_err(|_| NoRandomness)?;
    let check = crc32fast::hash(&bytes[..CHECKED_BYTES]);
    bytes[CHECKED_BYTES..].copy_from_slice(&check.to_be_bytes());
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// Whether a text is worth a lookup: that of its hash, which finds an imported key only where one was imported.
pub fn can_be_key(text: &str) -> bool {
    is_well_formed(text) || is_imported_form(text)
}

/// Whether a text can be a key that the original service has made: its length and alphabet, which is all there is to see. One in
/// sixteen millions begins like ours; it is left behind, so that a truncated key of ours is never looked up.
pub fn is_imported_form(text: &str) -> bool {
    if text.len() != IMPORTED_LENGTH || text.starts_with(PREFIX) {
        return false;
    }
    let mut bytes = [0; IMPORTED_BYTES];
    URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) == Ok(IMPORTED_BYTES)
}

/// Whether a text can be a key of ours at all: its prefix, length, alphabet and checksum.
pub fn is_well_formed(key: &str) -> bool {
    if key.len() != KEY_LENGTH {
        return false;
    }
    let Some(encoded) = key.strip_prefix(PREFIX) else {
        return false;
    };
    let mut bytes = [0; KEY_BYTES];
    let decoded = URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes);
    decoded == Ok(KEY_BYTES) && crc32fast::hash(&bytes[..CHECKED_BYTES]).to_be_bytes() == bytes[CHECKED_BYTES..]
}

/// What is stored of a key: SHA-256 of its whole text. A key has 240 random bits, an imported one 256, so no salt and no slow
/// hash is needed.
pub fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// The last four characters, by which a person tells keys apart in a list.
pub fn hint(key: &str) -> &str {
    let start = key.len().saturating_sub(4);
    key.get(start..).unwrap_or_default()
}

/// The first two bytes of every key of a tenant, so that a router finds its shard without a lookup.
fn route(tenant: Uuid) -> [u8; ROUTE_BYTES] {
    let digest = Sha256::digest(tenant.as_bytes());
    [digest[0], digest[1]]
}

/// The route of a tenant as a number, 0 to 65535.
pub fn route_of_tenant(tenant: Uuid) -> u16 {
    u16::from_be_bytes(route(tenant))
}

/// The route that a key names, if it is a key of ours.
pub fn route_of_key(key: &str) -> Option<u16> {
    if !is_well_formed(key) {
        return None;
    }
    // Six bits a character: sixteen are in the first three.
    let mut bytes = [0; 3];
    URL_SAFE_NO_PAD
        .decode_slice(key.get(PREFIX.len()..PREFIX.len() + 4)?, &mut bytes)
        .ok()?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant() -> Uuid {
        Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)
    }

    #[test]
    fn a_new_key_is_well_formed_and_52_characters_long() {
        let key = make(tenant()).expect("the operating system has randomness");
        assert_eq!(key.len(), 52);
        assert!(key.starts_with("tdb_"));
        assert!(is_well_formed(&key));
    }

    #[test]
    fn two_keys_of_a_tenant_share_only_their_route() {
        let (a, b) = (make(tenant()).unwrap(), make(tenant()).unwrap());
        assert_ne!(a, b);
        let bytes = |key: &str| URL_SAFE_NO_PAD.decode(&key[PREFIX.len()..]).unwrap();
        assert_eq!(bytes(&a)[..ROUTE_BYTES], bytes(&b)[..ROUTE_BYTES]);
        assert_eq!(
            bytes(&a)[..ROUTE_BYTES],
            Sha256::digest(tenant().as_bytes())[..ROUTE_BYTES]
        );
    }

    #[test]
    fn a_key_names_the_route_of_its_tenant_and_nothing_else_names_one() {
        for _ in 0..100 {
            let tenant = Uuid::now_v7();
            let key = make(tenant).unwrap();
            assert_eq!(route_of_key(&key), Some(route_of_tenant(tenant)));
        }
        for text in ["", "tdb_", "tdb_bad", IMPORTED, &make(tenant()).unwrap()[..51]] {
            assert_eq!(route_of_key(text), None);
        }
    }

    #[test]
    fn every_single_typo_is_refused() {
        let key = make(tenant()).unwrap();
        for at in 0..key.len() {
            let mut typo = key.clone().into_bytes();
            typo[at] = if typo[at] == b'A' { b'B' } else { b'A' };
            let typo = String::from_utf8(typo).unwrap();
            assert!(!is_well_formed(&typo), "{typo} was taken for {key}");
        }
    }

    #[test]
    fn truncated_padded_foreign_and_empty_texts_are_refused() {
        let key = make(tenant()).unwrap();
        for text in [
            &key[..51],
            &format!("{key}A"),
            &format!("{key}="),
            &key.replace("tdb_", "sk__"),
            "",
            "tdb_",
            &"x".repeat(1_000_000),
            &"ä".repeat(26),
        ] {
            assert!(!is_well_formed(text));
        }
    }

    /// As Python's secrets.token_urlsafe(32) makes them.
    const IMPORTED: &str = "Drmhze6EPcv0fN_81Bj-nA-9x4k6Rk9mS2Y7tq0aXoE";

    #[test]
    fn a_key_of_the_original_is_43_characters_of_base64url_and_may_be_looked_up() {
        assert!(is_imported_form(IMPORTED) && can_be_key(IMPORTED) && !is_well_formed(IMPORTED));
        let ours = make(tenant()).unwrap();
        assert!(can_be_key(&ours) && !is_imported_form(&ours));
    }

    #[test]
    fn nothing_else_is_worth_a_lookup() {
        let longer = format!("{IMPORTED}A");
        let padded = format!("{IMPORTED}=");
        let prefixed = format!("tdb_{IMPORTED}");
        // The last character tells four bits; the others of its six are none.
        let loose = format!("{}F", &IMPORTED[..42]);
        let foreign = IMPORTED.replace('_', "/");
        let blank = format!(" {}", &IMPORTED[1..]);
        let ours = format!("tdb_{}", &IMPORTED[4..]);
        let wide = "ä".repeat(21) + "A";
        for text in [
            "",
            &IMPORTED[..42],
            &longer,
            &padded,
            &prefixed,
            &loose,
            &foreign,
            &blank,
            &ours,
            &wide,
            &make(tenant()).unwrap()[..43],
        ] {
            assert!(!can_be_key(text), "{text:?}");
        }
    }

    #[test]
    fn the_hash_is_sha_256_of_the_whole_text() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let hex: String = hash("abc").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn the_hint_is_the_last_four_characters() {
        assert_eq!(hint("tdb_abcdefgh"), "efgh");
        assert_eq!(hint("ab"), "ab");
    }
}

//! Long blocks of values in pco: bins and deltas fitted to the data, which pays from some hundred values on. Its decoder is
//! not made for hostile bytes: a checksum keeps damaged ones from it, and no client's bytes get here.

use pco::data_types::Number;
use pco::standalone::{simple_compress, simple_decompress_into};
use pco::{ChunkConfig, DeltaSpec, ModeSpec};

use super::decimal::LIMIT;
use super::integers::float;
use crate::points::Corrupt;
use crate::points::bytes::cursor::Cursor;

/// In place of the head of decimals: the values are floats.
pub const FLOATS: u8 = 0xff;

/// A block is half as long in the making as at pco's own choice of 8, and at most 2 % larger.
const LEVEL: usize = 6;
const BROKEN: Corrupt = Corrupt("values in pco are broken");

#[derive(Clone, Copy, Debug)]
pub struct Long<'a> {
    checksum: u32,
    bytes: &'a [u8],
}

pub fn compress_floats(values: &[f64]) -> Option<Vec<u8>> {
    compress(values, &ChunkConfig::default().with_compression_level(LEVEL))
}

pub fn compress_integers(integers: &[i64]) -> Option<Vec<u8>> {
    let config = ChunkConfig::default()
        .with_compression_level(LEVEL)
        .with_mode_spec(ModeSpec::Classic)
        .with_delta_spec(DeltaSpec::Auto);
    compress(integers, &config)
}

/// The checksum and the bytes, or none where pco refuses: other encodings are always at hand.
fn compress<T: Number>(numbers: &[T], config: &ChunkConfig) -> Option<Vec<u8>> {
    let file = simple_compress(numbers, config).ok()?;
    let checksum = crc32fast::hash(&file).to_le_bytes();
    Some([&checksum[..], &file].concat())
}

impl<'a> Long<'a> {
    /// All the bytes that are left.
    pub fn read(cursor: &mut Cursor<'a>) -> Result<Long<'a>, Corrupt> {
        let (checksum, bytes) = cursor.0.split_first_chunk().ok_or(BROKEN)?;
        cursor.0 = &[];
        Ok(Long {
            checksum: u32::from_le_bytes(*checksum),
            bytes,
        })
    }

    pub fn floats_into(&self, count: usize, out: &mut Vec<f64>) -> Result<(), Corrupt> {
        let from = out.len();
        out.resize(from + count, 0.0);
        self.decompress(&mut out[from..])
    }

    pub fn decimals_into(&self, count: usize, divisor: f64, out: &mut Vec<f64>) -> Result<(), Corrupt> {
        let mut integers = vec![0; count];
        self.decompress(&mut integers)?;
        if !integers.iter().all(|integer| (-LIMIT..LIMIT).contains(integer)) {
            return Err(BROKEN);
        }
        out.extend(integers.iter().map(|&integer| float(integer) / divisor));
        Ok(())
    }

    /// Fills the slice and no more, whatever the bytes claim to hold.
    fn decompress<T: Number>(&self, numbers: &mut [T]) -> Result<(), Corrupt> {
        if crc32fast::hash(self.bytes) != self.checksum {
            return Err(BROKEN);
        }
        match simple_decompress_into(self.bytes, numbers) {
            Ok(progress) if progress.finished && progress.n_processed == numbers.len() => Ok(()),
            _ => Err(BROKEN),
        }
    }
}

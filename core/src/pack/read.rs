//! From bytes to a [`Pack`]: everything is checked but the values, which are when they are decoded.

use super::{Pack, TOO_MANY, VERSION, versions};
use crate::limits::MOST_POINTS;
use crate::points::bytes::cursor::Cursor;
use crate::points::values::Encoding;
use crate::points::{Corrupt, Values};

impl<'a> Pack<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Pack<'a>, Corrupt> {
        let mut cursor = Cursor(bytes);
        if cursor.byte()? != VERSION {
            return Err(Corrupt("unknown format version"));
        }
        let checksum = cursor.take(size_of::<u32>())?;
        if crc32fast::hash(cursor.0).to_le_bytes() != checksum {
            return Err(Corrupt("the checksum is that of other bytes"));
        }
        let count = usize::try_from(cursor.varint()?).map_err(|_| TOO_MANY)?;
        if count > MOST_POINTS {
            return Err(TOO_MANY);
        }
        let pack = read_content(&mut cursor, count)?;
        if cursor.0.is_empty() {
            Ok(pack)
        } else {
            Err(Corrupt("bytes follow the pack"))
        }
    }
}

fn read_content<'a>(cursor: &mut Cursor<'a>, count: usize) -> Result<Pack<'a>, Corrupt> {
    if count == 0 {
        return Ok(Pack {
            versions: Vec::new(),
            ends: Vec::new(),
            values: Values::NOTHING,
        });
    }
    let versions = versions::read(cursor, count)?;
    let mut present = 0;
    let ends = versions.iter().map(|of| {
        present += of.shape.present();
        present
    });
    let ends: Vec<usize> = ends.collect();
    let encoding = Encoding::from_number(cursor.byte()?)?;
    let values = Values::read(cursor, encoding, present)?;
    Ok(Pack { versions, ends, values })
}

//! From bytes to a [`Pack`]: everything is checked but the values, which are when they are decoded.

use super::{APART, Pack, TOO_MANY, VERSION, versions};
use crate::limits::MOST_POINTS;
use crate::points::bytes::cursor::Cursor;
use crate::points::values::Encoding;
use crate::points::{Corrupt, Values};
use crate::version::Shaped;

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
            values: Vec::new(),
        });
    }
    let versions = versions::read(cursor, count)?;
    let mut present = 0;
    let ends = versions.iter().map(|of| {
        present += of.shape.present();
        present
    });
    let ends: Vec<usize> = ends.collect();
    let values = match cursor.byte()? {
        APART => read_apart(cursor, &versions)?,
        encoding => vec![Values::read(cursor, Encoding::from_number(encoding)?, present)?],
    };
    Ok(Pack { versions, ends, values })
}

fn read_apart<'a>(cursor: &mut Cursor<'a>, versions: &[Shaped]) -> Result<Vec<Values<'a>>, Corrupt> {
    let present = versions.iter().map(|of| of.shape.present());
    let mut part = |present| {
        let size = usize::try_from(cursor.varint()?).map_err(|_| Corrupt("truncated"))?;
        let mut part = Cursor(cursor.take(size)?);
        let encoding = Encoding::from_number(part.byte()?)?;
        let values = Values::read(&mut part, encoding, present)?;
        if part.0.is_empty() {
            Ok(values)
        } else {
            Err(Corrupt("bytes follow the values of a version"))
        }
    };
    present.filter(|present| *present > 0).map(&mut part).collect()
}

//! From bytes to a [`Pack`]: everything is checked but the values, which are when they are decoded.

use uuid::Uuid;

use super::dictionary::Dictionary;
use super::{Pack, PackedVersion, VERSION, column};
use crate::points::bytes::Form;
use crate::points::bytes::cursor::Cursor;
use crate::points::values::Encoding;
use crate::points::{Corrupt, MOST_POINTS, Shape, Values};
use crate::time::Time;

const TOO_MANY: Corrupt = Corrupt("more points than a pack holds");

/// The tags of a version, in the order in which they were packed.
#[derive(Clone, Copy, Debug)]
pub struct Tags<'a> {
    count: usize,
    strings: &'a [u8],
}

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
        let pack = if count == 0 {
            Pack {
                versions: Vec::new(),
                values: Values::NOTHING,
            }
        } else {
            let versions = read_versions(&mut cursor, count)?;
            let values = read_values(&mut cursor, &versions)?;
            Pack { versions, values }
        };
        if cursor.0.is_empty() {
            Ok(pack)
        } else {
            Err(Corrupt("bytes follow the pack"))
        }
    }
}

fn read_versions<'a>(
    cursor: &mut Cursor<'a>,
    count: usize,
) -> Result<Vec<PackedVersion<'a>>, Corrupt> {
    let runs = Dictionary::read(cursor, count, read_run)?;
    let known = column::read(cursor, count)?;
    let change = column::read_beside(cursor, &known)?;
    let changed_by = Dictionary::read(cursor, count, read_string)?;
    let annotations = Dictionary::read(cursor, count, read_string)?;
    let tags = Dictionary::read(cursor, count, read_tags)?;
    let forms = Dictionary::read(cursor, count, Form::read)?;
    let first = column::read_beside(cursor, &known)?;
    let mut versions = Vec::with_capacity(count);
    let (mut points, mut present) = (0, 0);
    for index in 0..count {
        let shape = read_shape(forms.of(index)?, first[index])?;
        points += shape.len();
        if points > MOST_POINTS {
            return Err(TOO_MANY);
        }
        let from = present;
        present += shape.present();
        versions.push(PackedVersion {
            run: runs.of(index)?,
            known: read_time(known[index])?,
            change: read_time(change[index])?,
            changed_by: changed_by.of(index)?,
            annotation: annotations.get(index),
            tags: tags.get(index),
            shape,
            values: from..present,
        });
    }
    Ok(versions)
}

fn read_values<'a>(
    cursor: &mut Cursor<'a>,
    versions: &[PackedVersion],
) -> Result<Values<'a>, Corrupt> {
    let present = versions.last().map_or(0, |version| version.values.end);
    let encoding = Encoding::from_number(cursor.byte()?)?;
    Values::read(cursor, encoding, present)
}

fn read_shape(form: Form, first: i64) -> Result<Shape, Corrupt> {
    if form.count == 0 && first != 0 {
        return Err(Corrupt("no points, but a start of them"));
    }
    form.at(first)
}

fn read_time(micros: i64) -> Result<Time, Corrupt> {
    Time::from_micros(micros).ok_or(Corrupt("a time is out of range"))
}

fn read_run(cursor: &mut Cursor) -> Result<Uuid, Corrupt> {
    let bytes = cursor.take(size_of::<Uuid>())?;
    Uuid::from_slice(bytes).map_err(|_| Corrupt("truncated"))
}

fn read_string<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, Corrupt> {
    let size = usize::try_from(cursor.varint()?).map_err(|_| Corrupt("truncated"))?;
    str::from_utf8(cursor.take(size)?).map_err(|_| Corrupt("a text is not UTF-8"))
}

fn read_tags<'a>(cursor: &mut Cursor<'a>) -> Result<Tags<'a>, Corrupt> {
    let count = usize::try_from(cursor.varint()?).map_err(|_| Corrupt("truncated"))?;
    let before = cursor.0;
    for _ in 0..count {
        read_string(cursor)?;
    }
    Ok(Tags {
        count,
        strings: &before[..before.len() - cursor.0.len()],
    })
}

impl<'a> Tags<'a> {
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut cursor = Cursor(self.strings);
        // They were read before without an error.
        std::iter::from_fn(move || read_string(&mut cursor).ok())
    }
}

//! What one value of a column is: a time, a number.

use arrow_buffer::i256;
use arrow_schema::{DataType, TimeUnit};

use super::Malformed;
use super::parts::{Parts, Slots};
use crate::rows::{Kind, Refusal, number};
use crate::time::{MICROS_FROM_1970_TO_2000, ROUND, Time};

const MICROS_A_DAY: i64 = 86_400_000_000;

/// A column of values of the same width, and their type.
pub(super) struct Values<'a> {
    slots: Slots<'a>,
    of: DataType,
}

impl<'a> Values<'a> {
    /// The next column, if its type has values of one width.
    pub(super) fn of(parts: &mut Parts<'a>, of: &DataType) -> Result<Values<'a>, Malformed> {
        let slots = match of {
            DataType::Null => parts.nothing()?,
            DataType::FixedSizeBinary(_) => parts.slots(16)?,
            of => match of.primitive_width() {
                Some(width) => parts.slots(width)?,
                None => return Err(Malformed("a column has no values of one width")),
            },
        };
        Ok(Values { slots, of: of.clone() })
    }

    pub(super) fn time(&self, row: usize) -> Result<Option<Time>, Refusal> {
        let of_eight = || self.slots.get(row).map(i64::from_le_bytes);
        let micros = match &self.of {
            DataType::Date32 => self
                .slots
                .get(row)
                .map(|days| i64::from(i32::from_le_bytes(days)).checked_mul(MICROS_A_DAY)),
            DataType::Timestamp(TimeUnit::Microsecond, _) => of_eight().map(Some),
            DataType::Timestamp(TimeUnit::Second, _) => of_eight().map(|seconds| seconds.checked_mul(1_000_000)),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => match of_eight() {
                Some(nanos) if nanos % 1000 != 0 => {
                    let reason = "has digits below a microsecond";
                    return Err(Refusal::new(Kind::BadTime, reason).hint(ROUND));
                }
                nanos => nanos.map(|nanos| Some(nanos / 1000)),
            },
            // A timestamp or a date in milliseconds.
            _ => of_eight().map(|millis| millis.checked_mul(1000)),
        };
        let Some(micros) = micros else {
            return Ok(None);
        };
        micros
            .and_then(|micros| micros.checked_sub(MICROS_FROM_1970_TO_2000))
            .and_then(Time::from_micros)
            .map(Some)
            .ok_or_else(|| Refusal::new(Kind::TimeOutOfRange, "is out of range"))
    }

    pub(super) fn number(&self, row: usize) -> Result<Option<f64>, Refusal> {
        let slots = &self.slots;
        let decimal = |number: Option<i128>, scale| number.map(|number| number::decimal(number, scale)).transpose();
        match self.of {
            DataType::Float64 => Ok(slots.get(row).map(f64::from_le_bytes)),
            DataType::Float32 => Ok(slots.get(row).map(f32::from_le_bytes).map(f64::from)),
            DataType::Float16 => Ok(slots.get(row).map(u16::from_le_bytes).map(number::half)),
            DataType::Decimal32(_, scale) => decimal(slots.get(row).map(i32::from_le_bytes).map(i128::from), scale),
            DataType::Decimal64(_, scale) => decimal(slots.get(row).map(i64::from_le_bytes).map(i128::from), scale),
            DataType::Decimal128(_, scale) => decimal(slots.get(row).map(i128::from_le_bytes), scale),
            DataType::Decimal256(_, scale) => {
                let number = slots.get(row).map(i256::from_le_bytes);
                let double = number.map(|number| number::decimal_of_text(&number.to_string(), scale));
                double.transpose()
            }
            _ => self.integer(row).map(number::integer).transpose(),
        }
    }

    /// None where it is null, or no integer.
    pub(super) fn integer(&self, row: usize) -> Option<i128> {
        let slots = &self.slots;
        Some(match self.of {
            DataType::Int8 => i8::from_le_bytes(slots.get(row)?).into(),
            DataType::Int16 => i16::from_le_bytes(slots.get(row)?).into(),
            DataType::Int32 => i32::from_le_bytes(slots.get(row)?).into(),
            DataType::Int64 => i64::from_le_bytes(slots.get(row)?).into(),
            DataType::UInt8 => u8::from_le_bytes(slots.get(row)?).into(),
            DataType::UInt16 => u16::from_le_bytes(slots.get(row)?).into(),
            DataType::UInt32 => u32::from_le_bytes(slots.get(row)?).into(),
            DataType::UInt64 => u64::from_le_bytes(slots.get(row)?).into(),
            _ => return None,
        })
    }

    pub(super) fn sixteen_bytes(&self, row: usize) -> Option<[u8; 16]> {
        self.slots.get(row)
    }
}

use proptest::prelude::*;

use super::*;

fn encoded(values: &[f64]) -> (Encoding, Vec<u8>) {
    let mut bytes = Vec::new();
    (encode(values, &mut bytes), bytes)
}

fn decoded(encoding: Encoding, bytes: &[u8], count: usize) -> Result<Vec<f64>, Corrupt> {
    let mut cursor = Cursor(bytes);
    let values = Values::read(&mut cursor, encoding, count)?;
    assert_eq!(values.len(), count);
    let mut out = vec![7.0];
    values.decode_into(&mut out)?;
    if cursor.0.is_empty() {
        Ok(out.split_off(1))
    } else {
        Err(Corrupt("bytes are left"))
    }
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// How values are encoded, in how many bytes; and that they come back.
fn checked(values: &[f64]) -> (Encoding, usize) {
    let (encoding, bytes) = encoded(values);
    let again = decoded(encoding, &bytes, values.len()).unwrap();
    assert_eq!(bits(&again), bits(values));
    let mut for_client = Vec::new();
    let encoding_for_client = encode_for_client(values, &mut for_client);
    assert_ne!(encoding_for_client, Encoding::Pco);
    let again = decoded(encoding_for_client, &for_client, values.len()).unwrap();
    assert_eq!(bits(&again), bits(values));
    (encoding, bytes.len())
}

fn hundredths(numbers: impl IntoIterator<Item = i32>) -> Vec<f64> {
    numbers.into_iter().map(|number| f64::from(number) / 100.0).collect()
}

#[test]
fn these_are_the_bytes_of_decimals_forever() {
    let hex = |values: &[f64]| {
        let (encoding, bytes) = encoded(values);
        assert_eq!(encoding, Encoding::Decimal);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    assert_eq!(hex(&[1.0]), "000002");
    assert_eq!(hex(&[-20.5, -20.5, -20.5]), "01009903");
    assert_eq!(hex(&[0.0, 3.0, 0.0, 3.0, 0.0]), "000200cc00");
    assert_eq!(hex(&[0.25, 0.0, 0.5, 0.75]), "02473231b20c");
    assert_eq!(hex(&[1.0, f64::INFINITY, 1.0]), "100101000000000000f07f0002");
}

#[test]
fn a_constant_costs_four_bytes_however_often_it_is_repeated() {
    for count in [1, 2, 48, 511, 512, 100_000] {
        assert_eq!(checked(&vec![20.75; count]), (Encoding::Decimal, 4));
    }
}

#[test]
fn values_near_each_other_cost_the_bits_of_their_differences() {
    // 8 bits hold a step of a whole unit up or down; 14 would hold the values.
    let walk = hundredths((0..48).map(|index| index * 100 + index % 3));
    assert_eq!(checked(&walk), (Encoding::Decimal, 1 + 1 + 1 + 47));
    // As values in any order do not.
    let mixed = hundredths((0..48).map(|index| index * 29 % 64));
    assert_eq!(checked(&mixed), (Encoding::Decimal, 1 + 1 + 1 + 48 * 6 / 8));
}

#[test]
fn what_is_no_decimal_among_decimals_is_kept_whole() {
    let mut values = hundredths(0..48);
    let (_, without) = checked(&values);
    for (index, exception) in [(0, -0.0), (7, f64::NAN), (47, 1.0 / 3.0)] {
        values[index] = exception;
    }
    let (encoding, with) = checked(&values);
    assert_eq!(encoding, Encoding::Decimal);
    // A step over the gap takes a bit more.
    assert!(with <= without + 48 / 8 + 1 + 3 * 9, "{with} bytes, not {without}");
}

#[test]
fn noise_is_left_as_it_is() {
    let noise: Vec<f64> = (1..5000u32).map(|index| f64::from(index).sqrt().fract()).collect();
    let plain = |count: usize| (Encoding::Plain, count * 8);
    assert_eq!(checked(&noise[..48]), plain(48));
    assert_eq!(checked(&[1.0 / 3.0]), plain(1));
    assert_eq!(checked(&[]), plain(0));
}

#[test]
fn the_largest_decimals_come_back_and_larger_ones_are_plain() {
    let limit = (1u64 << 51) as f64;
    for values in [
        [limit - 1.0, 1.0 - limit],
        [limit, -limit],
        [limit * 2.0, 1e300],
        [0.000_000_001, 2_000_000.000_000_001],
        [1e-10, 4.9e-324],
        [f64::MAX, f64::MIN],
        [9_007_199_254_740_993.0, 0.1 + 0.2],
    ] {
        checked(&values);
        checked(&values.repeat(300));
    }
    assert_eq!(checked(&[limit - 1.0, 1.0 - limit].repeat(30)).0, Encoding::Decimal);
}

#[test]
fn long_blocks_are_in_pco_where_that_is_clearly_smaller() {
    // Mostly small steps and few large ones: bins of pco fit them, one width does not.
    let mut level = 0;
    let steps = (0..4000).map(|index| {
        level += if index % 50 == 0 { 5000 } else { index * 7 % 11 };
        level
    });
    let values = hundredths(steps);
    let (encoding, size) = checked(&values);
    assert_eq!(encoding, Encoding::Pco);
    assert!(size < 4000, "{size}");
    assert_eq!(checked(&values[..200]).0, Encoding::Decimal);
    // Floats with few digits in binary but none in decimal.
    let floats: Vec<f64> = (0..4000u16)
        .map(|index| f64::from((f32::from(index) * 0.37).sin()))
        .collect();
    let (encoding, size) = checked(&floats);
    assert_eq!(encoding, Encoding::Pco);
    assert!(size < 6 * 4000, "{size}");
}

#[test]
fn values_that_packing_never_wrote_are_refused() {
    let refusal = |encoding, count, bytes: &[u8]| decoded(encoding, bytes, count).unwrap_err().0;
    let decimal = |bytes: &[u8]| refusal(Encoding::Decimal, 2, bytes);
    assert_eq!(
        refusal(Encoding::Decimal, 0, &[0, 0, 0]),
        "no values, but an encoding of them"
    );
    assert_eq!(decimal(&[]), "truncated");
    assert_eq!(decimal(&[10, 0, 0]), "unknown kind of decimals");
    assert_eq!(decimal(&[0x20, 0, 0]), "unknown kind of decimals");
    assert_eq!(decimal(&[0x10, 0]), "the exceptions are not as many as they can be");
    assert_eq!(decimal(&[0x10, 3]), "the exceptions are not as many as they can be");
    assert_eq!(
        decimal(&[&[0x10, 1, 2][..], &[0; 8]].concat()),
        "an exception is after the last value"
    );
    assert_eq!(decimal(&[0, 54, 0]), "unknown kind of integers");
    assert_eq!(decimal(&[0, 0x80, 0]), "unknown kind of integers");
    assert_eq!(decimal(&[0, 4, 0]), "truncated");
    assert_eq!(decimal(&[0, 3, 0, 0x40]), "bits follow the last value");
    let mut largest = vec![0, 1];
    crate::points::bytes::cursor::push_varint(&mut largest, (1 << 52) - 2);
    largest.push(2);
    assert_eq!(decimal(&largest), "an integer is too large");
    assert_eq!(refusal(Encoding::Pco, 2, &[0xff, 1, 2, 3]), "values in pco are broken");
    assert_eq!(
        refusal(Encoding::Pco, 2, &[0xff, 0, 0, 0, 0, 1]),
        "values in pco are broken"
    );
    assert_eq!(Encoding::from_number(3), Err(Corrupt("unknown value encoding")));
}

/// Whoever writes the checksum too gets as far as the decoder; nothing there may take more than the count says.
#[test]
fn pco_of_another_count_is_refused() {
    let noise: Vec<f64> = (0..4000u16)
        .map(|index| f64::from((f32::from(index) * 0.37).sin()))
        .collect();
    let (encoding, bytes) = encoded(&noise);
    assert_eq!(encoding, Encoding::Pco);
    for count in [1, 255, 256, 257, 3840, 3999, 4001, 5000] {
        assert!(decoded(encoding, &bytes, count).is_err(), "{count}");
    }
}

fn some_values() -> impl Strategy<Value = Vec<f64>> {
    let any_float = any::<u64>().prop_map(f64::from_bits).boxed();
    let decimal = (any::<i32>(), 0..12i32)
        .prop_map(|(number, digits)| f64::from(number) / 10f64.powi(digits))
        .boxed();
    let near = (-1000..1000i32).prop_map(|number| f64::from(number) / 100.0).boxed();
    let special = prop_oneof![Just(-0.0), Just(f64::NAN), Just(f64::INFINITY)].boxed();
    let mixed = prop_oneof![
        1 => any_float.clone(), 5 => decimal.clone(), 40 => near.clone(), 1 => special.clone()
    ];
    let strategies = prop_oneof![
        prop::collection::vec(any_float, 0..40),
        prop::collection::vec(decimal, 0..200),
        prop::collection::vec(near.clone(), 0..1200),
        prop::collection::vec(mixed, 0..1200),
    ];
    (strategies, near, any::<bool>()).prop_map(|(values, step, is_walk)| {
        let mut level = 0.0;
        let mut walk = |value: f64| {
            level = ((level + value + step) * 100.0).round() / 100.0;
            level
        };
        if is_walk {
            values
                .into_iter()
                .map(|value| if value.abs() < 11.0 { walk(value) } else { value })
                .collect()
        } else {
            values
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_float_comes_back_bit_for_bit_and_takes_no_more_than_its_eight_bytes(values in some_values()) {
        let (_, size) = checked(&values);
        prop_assert!(size <= values.len() * 8);
    }

    #[test]
    fn damaged_values_never_panic(
        values in some_values(), at in any::<prop::sample::Index>(), byte in any::<u8>(), count in 0..1500usize,
    ) {
        let (encoding, mut bytes) = encoded(&values);
        let _ = decoded(encoding, &bytes, count);
        prop_assume!(!bytes.is_empty());
        let cut = at.index(bytes.len());
        prop_assert!(decoded(encoding, &bytes[..cut], values.len()).is_err());
        bytes[cut] = byte;
        let _ = decoded(encoding, &bytes, values.len());
    }

    #[test]
    fn arbitrary_bytes_are_no_more_than_the_values_they_claim(
        head in 0..10u8, kind in 0..128u8, bytes in prop::collection::vec(any::<u8>(), 0..64), count in 0..100usize,
    ) {
        let bytes = [&[head, kind], &bytes[..]].concat();
        if let Ok(values) = decoded(Encoding::Decimal, &bytes, count) {
            prop_assert_eq!(values.len(), count);
        }
    }
}

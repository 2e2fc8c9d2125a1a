//! Values that go together: the arguments of a statement, the columns of a row. A tuple of Rust types is a tuple of
//! Postgres', column by column.

use super::datum::{Bind, Fetch, NullableDatum};
use pgrx::pg_sys;

/// What goes into Postgres together: the arguments of a statement, the columns of an answer.
///
/// # Safety
/// `bind` makes a datum of each of the types, in their order.
pub unsafe trait BindAll {
    type Given<'a>;
    const OIDS: &'static [pg_sys::Oid];

    fn bind(given: Self::Given<'_>) -> Vec<NullableDatum>;
}

/// The columns of a row.
///
/// # Safety
/// `fetch` takes as many datums as [`FetchAll::COUNT`], of types that `are` allows.
pub unsafe trait FetchAll {
    type Fetched<'r>;
    const COUNT: usize;

    fn are(oids: &[pg_sys::Oid]) -> bool;

    /// Where a column is not what its type says, its number from 1.
    ///
    /// # Safety
    /// As [`Fetch::fetch`], of each column.
    unsafe fn fetch<'r>(values: &[pg_sys::Datum], nulls: &[bool]) -> Result<Self::Fetched<'r>, usize>;
}

macro_rules! tuple {
    ($($of:ident $number:tt),*) => {
        // SAFETY: that of each.
        unsafe impl<$($of: Bind),*> BindAll for ($($of,)*) {
            type Given<'a> = ($($of::Given<'a>,)*);
            const OIDS: &'static [pg_sys::Oid] = &[$($of::OID),*];

            fn bind(given: Self::Given<'_>) -> Vec<NullableDatum> {
                vec![$($of::bind(given.$number)),*]
            }
        }

        // SAFETY: that of each.
        unsafe impl<$($of: Fetch),*> FetchAll for ($($of,)*) {
            type Fetched<'r> = ($($of::Fetched<'r>,)*);
            const COUNT: usize = [$($number),*].len();

            fn are(oids: &[pg_sys::Oid]) -> bool {
                let types: &[fn(pg_sys::Oid) -> bool] = &[$($of::is),*];
                types.len() == oids.len() && types.iter().zip(oids).all(|(is, oid)| is(*oid))
            }

            unsafe fn fetch<'r>(
                values: &[pg_sys::Datum],
                nulls: &[bool],
            ) -> Result<Self::Fetched<'r>, usize> {
                // SAFETY: as the caller's.
                unsafe {
                    Ok(($(
                        $of::fetch(
                            (nulls.get($number) == Some(&false)).then(|| values[$number]),
                        ).ok_or($number + 1_usize)?,
                    )*))
                }
            }
        }
    };
}

/// Columns of one kind before those of another.
pub struct Then<A, B>(pub A, pub B);

// SAFETY: that of both.
unsafe impl<A: FetchAll, B: FetchAll> FetchAll for Then<A, B> {
    type Fetched<'r> = Then<A::Fetched<'r>, B::Fetched<'r>>;
    const COUNT: usize = A::COUNT + B::COUNT;

    fn are(oids: &[pg_sys::Oid]) -> bool {
        oids.split_at_checked(A::COUNT)
            .is_some_and(|(first, rest)| A::are(first) && B::are(rest))
    }

    unsafe fn fetch<'r>(values: &[pg_sys::Datum], nulls: &[bool]) -> Result<Self::Fetched<'r>, usize> {
        let at = A::COUNT;
        // SAFETY: as the caller's; there are as many columns as were compared.
        unsafe {
            let first = A::fetch(&values[..at], &nulls[..at])?;
            let rest = B::fetch(&values[at..], &nulls[at..]);
            Ok(Then(first, rest.map_err(|column| at + column)?))
        }
    }
}

// SAFETY: of no columns.
unsafe impl BindAll for () {
    type Given<'a> = ();
    const OIDS: &'static [pg_sys::Oid] = &[];

    fn bind((): ()) -> Vec<NullableDatum> {
        Vec::new()
    }
}

// SAFETY: of no columns.
unsafe impl FetchAll for () {
    type Fetched<'r> = ();
    const COUNT: usize = 0;

    fn are(oids: &[pg_sys::Oid]) -> bool {
        oids.is_empty()
    }

    unsafe fn fetch<'r>(_: &[pg_sys::Datum], _: &[bool]) -> Result<Self::Fetched<'r>, usize> {
        Ok(())
    }
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14, P 15);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14, P 15, Q 16);

//! The rows of an archive, piece by piece: a small file may unpack to a row of any length, and none is ever held whole.

use std::io::{BufRead, Read};

use anyhow::{Context, Result, bail};

use super::END_OF_ROWS;

/// More is no row: Postgres has no longer text.
pub const LONGEST: u64 = 1 << 30;

const UNREADABLE: &str = "the rows cannot be unpacked: export writes them otherwise";

/// Hands over a row with its end of a line. False where there is none, as those of the table have come to their end.
pub fn next(rows: &mut impl BufRead, longest: u64, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<bool> {
    let mut start = Vec::with_capacity(END_OF_ROWS.len());
    rows.by_ref()
        .take(END_OF_ROWS.len() as u64)
        .read_until(b'\n', &mut start)
        .context(UNREADABLE)?;
    if start == END_OF_ROWS {
        return Ok(false);
    }
    let mut length = start.len() as u64;
    let mut is_whole = start.ends_with(b"\n");
    take(&start)?;
    while !is_whole {
        let bytes = rows.fill_buf().context(UNREADABLE)?;
        if bytes.is_empty() {
            bail!("the file ends too soon");
        }
        let end = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let piece = &bytes[..end.unwrap_or(bytes.len())];
        length += piece.len() as u64;
        if length > longest {
            bail!("the file has a row that is longer than one can be: export has not written it");
        }
        take(piece)?;
        is_whole = end.is_some();
        let read = piece.len();
        rows.consume(read);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn read(text: &[u8], buffer: usize, longest: u64) -> Result<Vec<Vec<u8>>> {
        let mut rows = BufReader::with_capacity(buffer, text);
        let mut all = Vec::new();
        loop {
            let mut row = Vec::new();
            let is_one = next(&mut rows, longest, |piece| {
                assert!(
                    piece.len() <= buffer.max(END_OF_ROWS.len()),
                    "a piece of {}",
                    piece.len()
                );
                row.extend_from_slice(piece);
                Ok(())
            })?;
            if !is_one {
                return Ok(all);
            }
            all.push(row);
        }
    }

    #[test]
    fn rows_are_whole_however_they_come() {
        let text = b"a\tb\n\n\\N\n\\.x\nlonger than any buffer\n\\.\nof another table\n";
        let expected: [&[u8]; 5] = [b"a\tb\n", b"\n", b"\\N\n", b"\\.x\n", b"longer than any buffer\n"];
        for buffer in 1..30 {
            assert_eq!(read(text, buffer, 100).expect("rows"), expected, "{buffer}");
        }
    }

    #[test]
    fn a_row_without_an_end_is_refused_before_it_is_held() {
        let endless = [b'x'; 1000];
        for (longest, told) in [(100, "longer than one can be"), (1000, "ends too soon")] {
            let error = read(&endless, 64, longest).expect_err("refused").to_string();
            assert!(error.contains(told), "{error}");
        }
        assert!(read(b"", 64, 100).is_err());
        assert!(read(b"\\.", 64, 100).is_err());
    }
}

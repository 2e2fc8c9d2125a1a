//! A text whose lines all end as those of Unix do, the last one too: then they can be counted.

use std::io::{self, Read};

pub struct Lines<R> {
    text: R,
    /// Whether a carriage return has come, of which nobody knows yet what follows.
    is_held: bool,
    is_ended: bool,
}

impl<R: Read> Lines<R> {
    pub fn of(text: R) -> Self {
        Self {
            text,
            is_held: false,
            is_ended: false,
        }
    }

    fn end(&mut self, buffer: &mut [u8]) -> usize {
        if self.is_held {
            self.is_held = false;
            return 1;
        }
        if self.is_ended {
            return 0;
        }
        self.is_ended = true;
        buffer[0] = b'\n';
        1
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.len() < 2 {
            return Ok(0);
        }
        loop {
            let from = usize::from(self.is_held);
            buffer[0] = b'\r';
            let read = self.text.read(&mut buffer[from..])?;
            if read == 0 {
                return Ok(self.end(buffer));
            }
            let mut end = from + read;
            self.is_held = buffer[end - 1] == b'\r';
            end -= usize::from(self.is_held);
            let mut kept = 0;
            for place in 0..end {
                if buffer[place] != b'\r' || buffer.get(place + 1) != Some(&b'\n') || place + 1 == end {
                    buffer[kept] = buffer[place];
                    kept += 1;
                }
            }
            if kept > 0 {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_alike_wherever_a_read_ends() {
        for width in 2..9 {
            let mut lines = Lines::of(&b"a\r\nb\n\r\n\rc\r"[..]);
            let (mut all, mut buffer) = (Vec::new(), vec![0; width]);
            loop {
                let read = lines.read(&mut buffer).expect("a text");
                if read == 0 {
                    break;
                }
                all.extend_from_slice(&buffer[..read]);
            }
            assert_eq!(String::from_utf8(all).expect("UTF-8"), "a\nb\n\n\rc\r\n", "{width}");
        }
    }
}

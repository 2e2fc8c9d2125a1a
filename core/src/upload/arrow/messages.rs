//! The messages of a stream: where each begins, its metadata, its body. Nothing is copied, and no length is believed that
//! the bytes do not bear out.

use arrow_ipc::{Message, root_as_message_with_opts};
use flatbuffers::VerifierOptions;

use super::Malformed;
use crate::limits::LARGEST_ARROW_METADATA;

/// What each message begins with.
const MARK: &[u8] = &[0xff; 4];

/// Metadata may name the same part many times, and so be small but take for ever to look at.
const LIMITS: VerifierOptions = VerifierOptions {
    max_depth: 64,
    max_tables: 100_000,
    max_apparent_size: 16 << 20,
    ignore_missing_null_terminator: false,
};

/// What is left of a stream.
pub(super) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    pub(super) fn new(stream: &'a [u8]) -> Messages<'a> {
        Messages { rest: stream }
    }

    /// The next message and its body. A stream ends with a mark, or where its bytes do.
    pub(super) fn next(&mut self) -> Result<Option<(Message<'a>, &'a [u8])>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        if self.take(MARK.len())? != MARK {
            return Err(Malformed("a message does not begin as one"));
        }
        let length = self.take(size_of::<u32>())?;
        let length = length.iter().rfold(0, |sum, &byte| sum << 8 | usize::from(byte));
        if length == 0 {
            return match self.rest {
                [] => Ok(None),
                _ => Err(Malformed("it goes on after its end")),
            };
        }
        if length > LARGEST_ARROW_METADATA {
            return Err(Malformed("a message has more than 1 MiB of metadata"));
        }
        let message = root_as_message_with_opts(&LIMITS, self.take(length)?)
            .map_err(|_| Malformed("the metadata of a message is damaged"))?;
        let body = usize::try_from(message.bodyLength()).map_err(|_| Malformed("a message has a length below zero"))?;
        Ok(Some((message, self.take(body)?)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed("it is cut off"))?;
        self.rest = rest;
        Ok(taken)
    }
}

//! What PL/Proxy says of an error on a shard, and what it says of its own. Pure.
//!
//! It puts the name of its function, the number of arguments and the database before the shard's words, "Remote detail: " and
//! "Remote hint: " before the others, and raises what went wrong with the connection in words of libpq.

/// What PL/Proxy puts before a shard's DETAIL.
pub const DETAIL: &str = "Remote detail: ";
/// What it puts before a shard's HINT.
pub const HINT: &str = "Remote hint: ";

const REMOTE: &str = "] REMOTE ";
/// Where libpq has lost the connection there is no severity, and C prints so.
const NO_SEVERITY: &str = "(null)";
const OF_PLPROXY: &str = "PL/Proxy function ";

/// Who has said what.
#[derive(Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// The shard, in these words.
    Refused(&'a str),
    /// Nobody: the shard's server could not be reached, or was lost after it had been asked.
    Lost { after_asking: bool },
    /// A shard that does not have the function, or answers something else: what it seems to run.
    Differs(String),
    /// Neither PL/Proxy nor a shard.
    Here,
}

/// What an error means that came out of a function of PL/Proxy's, or of ours around it.
pub fn understand<'a>(sqlstate: &str, message: &'a str) -> Said<'a> {
    if let Some((severity, words)) = of_shard(message) {
        return match sqlstate {
            _ if severity == NO_SEVERITY => Said::Lost { after_asking: true },
            "57P01" | "57P02" => Said::Lost { after_asking: true },
            "57P03" => Said::Lost { after_asking: false },
            "42883" | "3F000" => Said::Differs("another version of timedb, or none".into()),
            _ => Said::Refused(words),
        };
    }
    match message.strip_prefix(OF_PLPROXY) {
        Some(words) if is_about_columns(words) => Said::Differs("another version of timedb".into()),
        Some(words) => Said::Lost {
            after_asking: !words.contains("PQconnect"),
        },
        None => Said::Here,
    }
}

/// What a shard has told that is no error, in its words.
pub fn told(message: &str) -> Option<&str> {
    of_shard(message).map(|(_, words)| words)
}

/// The severity and the words of a shard, behind `function(4): [database] REMOTE `.
fn of_shard(message: &str) -> Option<(&str, &str)> {
    let (before, after) = message.split_once(REMOTE)?;
    before.contains("): [").then(|| after.split_once(": "))?
}

/// PL/Proxy's own words for a shard that answers something else than it should.
fn is_about_columns(words: &str) -> bool {
    ["from remote", "does not exists in result", "got record"]
        .iter()
        .any(|part| words.contains(part))
}

/// A DETAIL or HINT without what PL/Proxy has put before it.
pub fn without<'a>(text: &'a str, prefix: &str) -> &'a str {
    text.strip_prefix(prefix).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shard_has_said_is_said_without_what_was_put_before_it() {
        let message = "timedb_router._read(15): [shard 0] REMOTE ERROR: \"mode\" is ] REMOTE ERROR: odd";
        assert_eq!(
            understand("22023", message),
            Said::Refused("\"mode\" is ] REMOTE ERROR: odd")
        );
        let translated = "timedb_router._read(15): [shard] REMOTE FEHLER: 17: no";
        assert_eq!(understand("22023", translated), Said::Refused("17: no"));
        assert_eq!(
            told("timedb_router._upload(10): [s] REMOTE NOTICE: a new series: \"x\""),
            Some("a new series: \"x\"")
        );
        assert_eq!(told("a new series"), None);
        assert_eq!(without("Remote hint: Wait.", HINT), "Wait.");
        assert_eq!(without("Wait.", HINT), "Wait.");
    }

    #[test]
    fn a_lost_connection_says_whether_anything_was_asked() {
        let cases = [
            (
                "XX000",
                "timedb_router._read(1): [s] REMOTE (null): server closed the connection unexpectedly",
                true,
            ),
            (
                "57P01",
                "timedb_router._read(1): [s] REMOTE FATAL: terminating connection",
                true,
            ),
            (
                "57P03",
                "timedb_router._read(1): [s] REMOTE FATAL: the database system is starting up",
                false,
            ),
            (
                "XX000",
                "PL/Proxy function timedb_router._read(1): [s] PQconnectPoll: connection refused",
                false,
            ),
            (
                "XX000",
                "PL/Proxy function timedb_router._read(1): [s] PQconsumeInput: timeout",
                true,
            ),
        ];
        for (state, message, after_asking) in cases {
            assert_eq!(understand(state, message), Said::Lost { after_asking }, "{message}");
        }
    }

    #[test]
    fn a_shard_that_answers_something_else_is_of_another_version() {
        for (state, message) in [
            (
                "42883",
                "timedb_router._read(1): [s] REMOTE ERROR: function timedb_shard.read(text) does not exist",
            ),
            (
                "3F000",
                "timedb_router._read(1): [s] REMOTE ERROR: schema \"timedb_shard\" does not exist",
            ),
            (
                "XX000",
                "PL/Proxy function timedb_router._read(1): Got too few fields from remote end",
            ),
        ] {
            assert!(matches!(understand(state, message), Said::Differs(_)), "{message}");
        }
    }

    #[test]
    fn what_was_said_here_stays_as_it_is() {
        assert_eq!(understand("28000", "API key required."), Said::Here);
        assert_eq!(understand("22023", "no ] REMOTE ERROR: of a shard"), Said::Here);
    }
}

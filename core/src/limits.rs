//! How much of each thing timedb takes: every limit that a user can meet, in one place. Lengths of texts are in bytes. Those of
//! [`Limits`] are settings; all others belong to the formats.
//!
//! Most of them keep one client from taking the memory of all others; those of texts keep index entries within a page.

/// The key of a series: it is part of a unique index.
pub const LONGEST_SERIES_KEY: usize = 500;
pub const LONGEST_UNIT: usize = 100;
pub const LONGEST_DESCRIPTION: usize = 10_000;
/// Labels as text.
pub const LARGEST_LABELS: i64 = 2000;
/// Many small labels take more room than their text; an index entry holds them, the key and the tenant.
pub const LARGEST_STORED_LABELS: i64 = 2100;
pub const LONGEST_WORKFLOW: usize = 500;
pub const LONGEST_EMAIL: usize = 320;
/// The name of an API key.
pub const LONGEST_KEY_NAME: usize = 200;
/// Why a run is withdrawn or restored.
pub const LONGEST_REASON: usize = 10_000;
pub const LONGEST_ANNOTATION: usize = 10_000;
pub const LONGEST_TAG: usize = 200;
/// Tags of one value.
pub const MOST_TAGS: usize = 100;

/// How much a call takes, and a read holds, as whoever operates the server says: more of it is more memory of the process that
/// answers, and one that does not get what it asks for takes all the others down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Rows of one upload.
    pub upload_rows: usize,
    /// Series that one upload writes: each costs memory far beyond what it takes to name it.
    pub upload_series: usize,
    /// Elements of one update.
    pub updates: usize,
    /// Stored rows of one series that a read holds: each takes half a kilobyte, however few its values.
    pub read_rows: usize,
    /// Stored values of one series that a read merges, of the versions that reach into its windows: what else a pack holds is
    /// not counted, so that no read is refused for what `compact` has put beside each other.
    pub read_values: usize,
}

impl Limits {
    /// Where nobody says anything else.
    pub const DEFAULT: Limits = Limits {
        upload_rows: 5_000_000,
        upload_series: 100_000,
        updates: 100_000,
        read_rows: 5_000_000,
        read_values: 20_000_000,
    };

    /// The most that may be said: a call that is let more takes so many gigabytes that it is mostly a mistake. Every count
    /// fits 32 bits, by which places are told.
    pub const MOST: Limits = Limits {
        upload_rows: 50_000_000,
        upload_series: MOST_UPLOAD_PARTS,
        updates: 1_000_000,
        read_rows: 50_000_000,
        read_values: 200_000_000,
    };

    /// The defaults, for so many rows of an upload or an update.
    pub const fn of_rows(most: usize) -> Limits {
        Limits {
            upload_rows: most,
            updates: most,
            ..Limits::DEFAULT
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}

/// What to do about more than a limit, by the setting that says it.
pub const FEWER_UPLOAD_ROWS: &str = "Split it over several calls, or have timedb.max_upload_rows raised.";
pub const FEWER_UPLOAD_SERIES: &str = "Split it over several calls, or have timedb.max_upload_series raised.";
pub const FEWER_UPDATES: &str = "Split it over several calls, or have timedb.max_updates raised.";

/// Runs that one call uploads, and series of runs that it writes values of: each becomes a row.
pub const MOST_UPLOAD_RUNS: usize = 100_000;
pub const MOST_UPLOAD_PARTS: usize = 1_000_000;
/// Labels, annotations and tags of one upload, each counted once: past it, a few bytes of an Arrow stream would stand for any
/// number of long texts.
pub const LARGEST_UPLOAD_TEXTS: usize = 64 << 20;
/// Labels as they come in a row of an upload: as they are stored they are shorter.
pub const LONGEST_LABELS_TEXT: usize = 16 << 10;
/// The metadata of one message of an Arrow stream: a few columns take a few hundred bytes, and what pandas adds a few
/// thousand.
pub const LARGEST_ARROW_METADATA: usize = 1 << 20;
/// The JSON that the elements of one update come in.
pub const LONGEST_UPDATES: usize = 64 << 20;

/// Points of one vector, or of one pack. A few bytes can claim any number of nulls or equal steps; memory for each claim
/// would let anybody bring down the process.
pub const MOST_POINTS: usize = 5_000_000;
/// Points that `merge_points` merges at once: all of them are opened.
pub const MOST_MERGED_POINTS: usize = 2 * MOST_POINTS;

/// Values of a tenant that `read_changes` holds at once.
pub const MOST_CHANGED_VALUES: usize = 20_000_000;

/// Rows of one batch of `read_arrow_batches`: a batch is made, and sent, as a whole.
pub const MOST_BATCH_ROWS: usize = 10_000_000;

/// Buckets of one series that a value may reach over, or that are held at once.
pub const MOST_BUCKETS: usize = 1_000_000;

/// How far ahead of the clock a run may be known without a warning, in microseconds: clocks differ, but not by an hour.
pub const KNOWN_AHEAD: i64 = 3_600_000_000;

/// How much of a client's own text a message repeats, in characters.
pub const LONGEST_EXCERPT: usize = 64;

use std::os::unix::fs::PermissionsExt;

use uuid::Uuid;

use super::*;
use crate::archive::{Table, rows};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let folder = std::env::temp_dir().join(format!("timedb-archive-{}", Uuid::now_v7()));
        fs::create_dir(&folder).expect("a folder");
        Folder(folder)
    }

    fn files(&self) -> usize {
        fs::read_dir(&self.0).expect("the folder").count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

const ROWS: &[u8] = b"a\tb\nc\t\\N\n\\.\n";

fn begun(path: &Path, replaces: bool) -> Result<NewArchive> {
    let header = Header {
        timedb: "0.2.0".into(),
        postgres: "15.0".into(),
        tenant_id: Uuid::nil(),
        exported_at: "2025-01-01".into(),
        tables: vec![Table {
            name: "users".into(),
            columns: vec!["user_id".into(), "email".into()],
            rows: 2,
        }],
        bindings: Vec::new(),
    };
    let mut archive = NewArchive::create(path, replaces, &header)?;
    archive.write(ROWS)?;
    Ok(archive)
}

fn written(path: &Path) -> Vec<u8> {
    begun(path, true).and_then(NewArchive::finish).expect("an archive");
    fs::read(path).expect("its bytes")
}

#[test]
fn what_was_written_is_read() {
    let folder = Folder::new();
    let path = folder.0.join("tenant");
    written(&path);
    let mut archive = Archive::open(&path).expect("an archive");
    assert_eq!(archive.header.rows(), 2);
    let mut rows = Vec::new();
    archive.rows.read_to_end(&mut rows).expect("its rows");
    assert_eq!(rows, ROWS);
}

/// What `written` has written, with its rows packed in another way.
fn packed_anew(whole: &[u8], window: u32) -> Vec<u8> {
    let mut lines = whole.split_inclusive(|byte| *byte == b'\n');
    let head: Vec<u8> = lines.by_ref().take(2).flatten().copied().collect();
    let mut rows = zstd::Encoder::new(head, COMPRESSION).expect("an encoder");
    rows.window_log(window).expect("a window");
    // Written in two pieces, so that it does not know how little comes.
    rows.write_all(ROWS).expect("written");
    rows.flush().expect("written");
    let mut file = rows.finish().expect("a frame");
    let sum = hex(&Sha256::digest(&file));
    file.extend(format!("sha256 {sum}\n").bytes());
    file
}

#[test]
fn rows_that_need_more_memory_to_be_unpacked_than_ours_are_refused() {
    let folder = Folder::new();
    let path = folder.0.join("tenant");
    let whole = written(&path);
    for (window, is_taken) in [(20, true), (23, true), (24, false), (27, false)] {
        fs::write(&path, packed_anew(&whole, window)).expect("a file");
        let mut archive = Archive::open(&path).expect("its checksum is right");
        let read = rows::next(&mut archive.rows, rows::LONGEST, |_| Ok(()));
        assert_eq!(read.is_ok(), is_taken, "{window}");
        if let Err(error) = read {
            assert!(error.to_string().contains("cannot be unpacked"), "{error}");
        }
    }
}

#[test]
fn every_single_damage_is_found() {
    let folder = Folder::new();
    let path = folder.0.join("tenant");
    let whole = written(&path);
    for at in 0..whole.len() {
        for bit in [1, 128] {
            let mut damaged = whole.clone();
            damaged[at] ^= bit;
            fs::write(&path, damaged).expect("a damaged file");
            assert!(Archive::open(&path).is_err(), "byte {at} may be another");
        }
        fs::write(&path, &whole[..at]).expect("a short file");
        assert!(Archive::open(&path).is_err(), "it may end at {at}");
    }
    fs::write(&path, [&whole[..], b"\n"].concat()).expect("a long file");
    assert!(Archive::open(&path).is_err(), "it may go on");
}

#[test]
fn the_format_of_a_later_time_is_told_whatever_follows() {
    let folder = Folder::new();
    let path = folder.0.join("tenant");
    for (text, told) in [
        ("timedb archive 2\nwho knows", "is an archive of format 2"),
        ("timedb archive \n", "is no archive of timedb"),
        ("PGDMP", "is no archive of timedb"),
        ("", "is no archive of timedb"),
    ] {
        fs::write(&path, text).expect("a file");
        let error = Archive::open(&path).err().expect("refused").to_string();
        assert!(error.contains(told), "{text:?}: {error}");
    }
}

#[test]
fn a_file_that_is_there_stays_unless_it_is_to_be_replaced() {
    let folder = Folder::new();
    let path = folder.0.join("tenant");
    let archive = begun(&path, false).expect("nothing is there yet");
    fs::write(&path, "somebody's").expect("somebody was faster");
    assert!(archive.finish().is_err());
    assert!(begun(&path, false).is_err());
    assert_eq!(fs::read(&path).expect("theirs"), b"somebody's");
    assert_eq!(folder.files(), 1);
    written(&path);
    Archive::open(&path).expect("it was replaced");
    assert_eq!(folder.files(), 1);
}

#[test]
fn nobody_else_may_read_it_and_one_that_was_given_up_is_gone() {
    let folder = Folder::new();
    let path = folder.0.join("tenant");
    let archive = begun(&path, false).expect("nothing is there yet");
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&archive.beside), 0o600);
    archive.give_up();
    assert_eq!(folder.files(), 0);
    written(&path);
    assert_eq!(mode(&path), 0o600);
}

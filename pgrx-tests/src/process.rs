//! What the kernel says of a process: of a backend, by the number it gives itself.

use std::fs;

use anyhow::{Context, Result};

const MIB: u64 = 1024 * 1024;

/// A field of `/proc/PID/status` that is an amount of memory, in bytes: `VmHWM`, `RssFile`, …
pub fn memory(pid: i32, field: &str) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':')?.split_whitespace().next())
        .with_context(|| format!("no {field} in {path}"))?;
    let kibibytes: u64 = kibibytes.parse().with_context(|| format!("{field} in {path}"))?;
    Ok(kibibytes * 1024)
}

/// The most memory that it has had so far, in MiB: shared buffers it has touched included.
#[track_caller]
pub fn peak_memory(pid: i32) -> u64 {
    mebibytes(pid, "VmHWM")
}

/// The most memory that it has asked for so far, in MiB, whether or not it has used it.
#[track_caller]
pub fn peak_claim(pid: i32) -> u64 {
    mebibytes(pid, "VmPeak")
}

#[track_caller]
fn mebibytes(pid: i32, field: &str) -> u64 {
    memory(pid, field).unwrap_or_else(|error| panic!("{error:#}")) / MIB
}

/// The processor time that it has used, in hundredths of a second.
#[track_caller]
pub fn cpu_ticks(pid: i32) -> u64 {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    // The name of the program, in parentheses, may hold spaces: user and system time are 12th and 13th after it.
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.map(|field| field.parse::<u64>().expect("ticks")).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_in_bytes_and_what_is_not_there_by_name() {
        let pid = i32::try_from(std::process::id()).expect("a number");
        let (resident, most) = (memory(pid, "VmRSS"), memory(pid, "VmHWM"));
        let (resident, most) = (resident.expect("VmRSS"), most.expect("VmHWM"));
        assert!((MIB..=most).contains(&resident), "{resident} of at most {most} bytes");
        assert!(peak_claim(pid) >= peak_memory(pid));
        let absent = memory(pid, "VmH").expect_err("no such field");
        assert!(absent.to_string().starts_with("no VmH in /proc/"));
    }
}

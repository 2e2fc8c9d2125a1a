//! What was written, in the order of an answer: by when it was, by series, and then as a read orders what it shows.

use crate::error::{Error, Result};
use crate::store::changes::Written;
use std::collections::HashMap;
use timedb_core::answer::Series;
use timedb_core::points::{Corrupt, Opened, Point, Points};
use timedb_core::version::Version;

/// Versions, with the series that they are of.
pub struct Changes {
    /// In the order of an answer, each with the place of its series.
    written: Vec<(usize, Written)>,
    series: Vec<Series>,
}

/// A version, and its points.
type Of<'a> = (&'a Version, Points<'a>);

impl Changes {
    /// The series come in their order.
    pub fn of(written: Vec<Written>, series: Vec<Series>) -> Result<Changes> {
        let places: HashMap<_, _> = series
            .iter()
            .enumerate()
            .map(|(place, series)| (series.id, place))
            .collect();
        let written = written.into_iter().map(|one| match places.get(&one.series) {
            Some(place) => Ok((*place, one)),
            None => Err(Error::Broken("a version of no series".into())),
        });
        let mut written = written.collect::<Result<Vec<_>>>()?;
        written.sort_by_key(|(place, one)| (one.version.change, *place));
        Ok(Changes { written, series })
    }

    /// Calls with points of one series after the other, in the order of the answer: each with its version.
    pub fn each<'a>(&'a self, mut put: impl FnMut(&'a Series, &[(&'a Version, Point)]) -> Result<()>) -> Result<()> {
        let is_one = |(place, one): &(usize, Written), (other_place, other): &(usize, Written)| {
            (place, one.version.change) == (other_place, other.version.change)
        };
        for group in self.written.chunk_by(is_one) {
            let series = &self.series[group[0].0];
            let of = group
                .iter()
                .map(|(_, one)| Ok((&one.version, Points::read(&one.points)?)));
            let of: Result<Vec<Of>, Corrupt> = of.collect();
            let mut of = of.map_err(Error::PointsStored)?;
            of.sort_by_key(|(_, points)| points.first());
            // Mostly one follows the other, as the rows that one upload was cut into do.
            let is_apart = of.windows(2).all(|pair| pair[0].1.last() < pair[1].1.first());
            if is_apart {
                for of in of.chunks(1) {
                    put(series, &points_of(of)?)?;
                }
            } else {
                put(series, &points_of(&of)?)?;
            }
        }
        Ok(())
    }
}

fn points_of<'a>(of: &[Of<'a>]) -> Result<Vec<(&'a Version, Point)>> {
    let mut points = Vec::new();
    for (version, of) in of {
        let opened: Opened = of.open().map_err(Error::PointsStored)?;
        points.extend(opened.iter().map(|point| (*version, point)));
    }
    if of.len() > 1 {
        points.sort_by_key(|(version, point)| (point.key(), version.known, version.run));
    }
    Ok(points)
}

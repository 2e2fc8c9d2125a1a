//! Packs that versions are cut out of: opened, and packed anew without them.

use crate::error::{Error, Result};
use crate::pg::cancel::answer_cancel;
use crate::pg::statement::statements;
use crate::pg::varlena::PackBytes;
use crate::store::write::NewPacks;
use timedb_core::pack::Pack;
use timedb_core::points::{Corrupt, Points};
use timedb_core::time::Time;
use timedb_core::version::{Shaped, Version};
use uuid::Uuid;

statements! {
    SOME_PACKS(Uuid, &[Uuid], &[i16], &[Time], &[Uuid]) -> (Uuid, i16, Time, Uuid, PackBytes) =
        c"SELECT k.series_id, k.span, k.valid_from, k.pack_id, p.versions
          FROM (SELECT unnest($2) AS series_id, unnest($3) AS span, unnest($4) AS valid_from, unnest($5) AS pack_id) AS k
          CROSS JOIN LATERAL (
            SELECT p.versions
            FROM timedb.packs p
            WHERE p.tenant_id = $1 AND p.series_id = k.series_id AND p.span = k.span AND p.valid_from = k.valid_from
              AND p.pack_id = k.pack_id
            OFFSET 0) AS p";
    TAKE_PACKS(Uuid, &[Uuid], &[i16], &[Time], &[Uuid]) -> (i32,) =
        c"DELETE FROM timedb.packs p
          WHERE p.tenant_id = $1 AND p.ctid = ANY (ARRAY(
            SELECT w.ctid
            FROM (SELECT unnest($2) AS series_id, unnest($3) AS span, unnest($4) AS valid_from, unnest($5) AS pack_id) AS k
            CROSS JOIN LATERAL (
              SELECT w.ctid
              FROM timedb.packs w
              WHERE w.tenant_id = $1 AND w.series_id = k.series_id AND w.span = k.span AND w.valid_from = k.valid_from
                AND w.pack_id = k.pack_id
              OFFSET 0) AS w))
          RETURNING 1";
}

/// What names packs, a column each.
#[derive(Default)]
pub struct PackKeys {
    pub series: Vec<Uuid>,
    pub spans: Vec<i16>,
    pub valid_from: Vec<Time>,
    pub ids: Vec<Uuid>,
}

impl PackKeys {
    pub fn push(&mut self, series: Uuid, span: i16, valid_from: Time, id: Uuid) {
        self.series.push(series);
        self.spans.push(span);
        self.valid_from.push(valid_from);
        self.ids.push(id);
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Those from a place on, as many as these.
    pub fn some(&self, from: usize, most: usize) -> PackKeys {
        let to = self.len().min(from.saturating_add(most));
        PackKeys {
            series: self.series[from..to].to_vec(),
            spans: self.spans[from..to].to_vec(),
            valid_from: self.valid_from[from..to].to_vec(),
            ids: self.ids[from..to].to_vec(),
        }
    }

    /// Those that are still there, with their series.
    pub fn fetch(&self, tenant: Uuid) -> Result<Vec<StoredPack>> {
        let mut found = Vec::new();
        let named = (
            tenant,
            &self.series[..],
            &self.spans[..],
            &self.valid_from[..],
            &self.ids[..],
        );
        SOME_PACKS.stream_fresh(named, |(series, span, valid_from, id, bytes)| {
            let bytes = bytes.to_vec();
            found.push(StoredPack {
                series,
                span,
                valid_from,
                id,
                bytes,
            });
            Ok(())
        })?;
        Ok(found)
    }

    /// Takes them out: all of them, or an error.
    pub fn take(&self, tenant: Uuid) -> Result<()> {
        let named = (
            tenant,
            &self.series[..],
            &self.spans[..],
            &self.valid_from[..],
            &self.ids[..],
        );
        match TAKE_PACKS.write(named)?.len() == self.len() {
            true => Ok(()),
            false => Err(Error::DeletedMeanwhile),
        }
    }
}

pub struct StoredPack {
    pub series: Uuid,
    span: i16,
    valid_from: Time,
    id: Uuid,
    bytes: Vec<u8>,
}

/// What has been cut out of a pack.
pub struct Cut {
    pub versions: usize,
    pub values: usize,
}

impl StoredPack {
    /// Takes what goes out of it, and puts what is left back; none where nothing goes.
    pub fn cut(&self, tenant: Uuid, goes: impl Fn(&Shaped) -> bool) -> Result<Option<Cut>> {
        answer_cancel();
        let Some((cut, kept)) = split(&self.bytes, goes).map_err(Error::PackStored)? else {
            return Ok(None);
        };
        let mut keys = PackKeys::default();
        keys.push(self.series, self.span, self.valid_from, self.id);
        keys.take(tenant)?;
        if !kept.is_empty() {
            let points = kept.iter().map(|(_, bytes)| Points::read(bytes));
            let points: Result<Vec<Points>, Corrupt> = points.collect();
            let points = points.map_err(Error::PackStored)?;
            let versions = kept.iter().map(|(version, _)| version.clone());
            NewPacks::of(versions.zip(points).collect())?.insert(tenant, self.series)?;
        }
        Ok(Some(cut))
    }
}

/// Versions with the bytes of their points.
type Kept = Vec<(Version, Vec<u8>)>;

/// What goes, counted, and what is kept; none where nothing goes.
fn split(bytes: &[u8], goes: impl Fn(&Shaped) -> bool) -> Result<Option<(Cut, Kept)>, Corrupt> {
    let pack = Pack::read(bytes)?;
    let of_pack = pack.versions();
    let going = || of_pack.iter().filter(|of| goes(of));
    let cut = Cut {
        versions: going().count(),
        values: going().map(|of| of.shape.len()).sum(),
    };
    if cut.versions == 0 {
        return Ok(None);
    }
    let mut kept = Kept::new();
    if cut.versions < of_pack.len() {
        let mut values = Vec::with_capacity(pack.present());
        pack.decode_values(&mut values)?;
        let stays = of_pack.iter().enumerate().filter(|(_, of)| !goes(of));
        kept = stays
            .map(|(number, of)| (of.version.clone(), pack.points(number, &values)))
            .collect();
    }
    Ok(Some((cut, kept)))
}

//! Which server each logical shard is on: as first dealt, and when a server is added. Whole shards move, no tenant leaves its own.

use super::balance::{Weight, heaviest_first, lightest, loads};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// As many shards for each server, whatever is in them.
    Count,
    /// As much for each server, in whole shards.
    Values,
}

impl Rule {
    pub const BOTH: [Self; 2] = [Self::Count, Self::Values];

    /// The server of each shard.
    pub fn deal(self, shards: &[Weight], servers: usize) -> Vec<usize> {
        match self {
            Self::Count => (0..shards.len()).map(|shard| shard % servers).collect(),
            Self::Values => by_values(shards, servers),
        }
    }

    /// The shards that go to a server that is added, after which the servers have again as many, or as much.
    pub fn take(self, shards: &[Weight], homes: &[usize], servers: usize) -> Vec<usize> {
        match self {
            Self::Count => take_by_count(homes, servers),
            Self::Values => take_by_values(shards, homes, servers),
        }
    }
}

/// The heaviest shard first, each to the server that is lightest by then: at most a third above the best there is (Graham, 1969).
fn by_values(shards: &[Weight], servers: usize) -> Vec<usize> {
    let mut homes = vec![0; shards.len()];
    let mut loads = vec![0; servers];
    for shard in heaviest_first(shards) {
        let server = lightest(&loads);
        homes[shard] = server;
        loads[server] += shards[shard];
    }
    homes
}

/// From whichever server has the most shards its last one, until the new one has its number.
fn take_by_count(homes: &[usize], servers: usize) -> Vec<usize> {
    let mut left: Vec<Vec<usize>> = vec![Vec::new(); servers];
    for (shard, &server) in homes.iter().enumerate() {
        left[server].push(shard);
    }
    let wanted = homes.len() / (servers + 1);
    let mut taken = Vec::with_capacity(wanted);
    while taken.len() < wanted {
        let fullest = left.iter_mut().max_by_key(|shards| shards.len());
        taken.extend(fullest.and_then(Vec::pop));
    }
    taken
}

/// From the heaviest server the heaviest shard of what it has too much, or where all are more than that the lightest one; from the
/// next server, where none finds room below the mean in the new one; and from none that is below the mean itself.
fn take_by_values(shards: &[Weight], homes: &[usize], servers: usize) -> Vec<usize> {
    let mean = shards.iter().sum::<Weight>() / (servers as Weight + 1);
    let mut loads = loads(shards, homes, servers);
    let mut left: Vec<Vec<usize>> = vec![Vec::new(); servers];
    for shard in heaviest_first(shards) {
        left[homes[shard]].push(shard);
    }
    let (mut taken, mut room) = (Vec::new(), mean);
    loop {
        let giver = heaviest_first(&loads).find_map(|server| {
            let excess = loads[server].checked_sub(mean).filter(|excess| *excess > 0)?;
            Some((server, choice(&left[server], shards, excess, room)?))
        });
        let Some((server, at)) = giver else {
            return taken;
        };
        let shard = left[server].remove(at);
        loads[server] -= shards[shard];
        room -= shards[shard];
        taken.push(shard);
    }
}

/// Which one goes, of a list with the heaviest first.
fn choice(list: &[usize], shards: &[Weight], excess: Weight, room: Weight) -> Option<usize> {
    let lightest = list.iter().rposition(|&shard| shards[shard] <= room)?;
    let within = list.iter().position(|&shard| shards[shard] <= excess.min(room));
    Some(within.unwrap_or(lightest))
}

#[cfg(test)]
mod tests {
    use super::super::balance::loads;
    use super::Rule;

    #[test]
    fn by_count_no_server_has_two_shards_more_than_another() {
        let homes = Rule::Count.deal(&[1; 64], 3);
        assert_eq!(loads(&[1; 64], &homes, 3), [22, 21, 21]);
    }

    #[test]
    fn by_values_the_heaviest_shard_is_alone_and_the_others_share_the_rest() {
        let shards = [1, 12, 2, 3, 4];
        let homes = Rule::Values.deal(&shards, 2);
        assert_eq!(loads(&shards, &homes, 2), [12, 10]);
    }

    #[test]
    fn a_server_that_is_added_gets_its_number_of_shards_and_no_other_server_gets_one() {
        let homes = Rule::Count.deal(&[1; 64], 3);
        let taken = Rule::Count.take(&[1; 64], &homes, 3);
        assert_eq!(taken.len(), 16);
        let after = moved(&homes, &taken, 3);
        assert_eq!(loads(&[1; 64], &after, 4), [16; 4]);
    }

    #[test]
    fn with_a_shard_a_server_there_is_none_to_take() {
        let homes = Rule::Count.deal(&[1; 64], 64);
        assert!(Rule::Count.take(&[1; 64], &homes, 64).is_empty());
        let shards = [5, 4, 3, 2];
        let homes = Rule::Values.deal(&shards, 4);
        assert!(Rule::Values.take(&shards, &homes, 4).is_empty());
    }

    #[test]
    fn by_values_each_server_gives_what_it_has_too_much() {
        let (shards, homes) = ([8, 4, 4, 4, 4], [0, 0, 1, 1, 1]);
        let taken = Rule::Values.take(&shards, &homes, 2);
        assert_eq!(loads(&shards, &moved(&homes, &taken, 2), 3), [8; 3]);
    }

    #[test]
    fn by_values_a_server_gives_few_heavy_shards_and_not_many_light_ones() {
        let (shards, homes) = ([1, 1, 1, 1, 4, 4, 4], [0; 7]);
        assert_eq!(Rule::Values.take(&shards, &homes, 1), [4, 5]);
    }

    #[test]
    fn by_values_the_new_server_stays_below_the_mean_and_nothing_comes_from_one_that_is_below() {
        // 11 and 1; the mean of three is 4.
        let (shards, homes) = ([7, 2, 2, 1], [0, 0, 0, 1]);
        assert_eq!(Rule::Values.take(&shards, &homes, 2), [1, 2]);
        // 9 and 3, where 9 has nothing that fits.
        let (shards, homes) = ([9, 3], [0, 1]);
        assert!(Rule::Values.take(&shards, &homes, 2).is_empty());
        // 6, 6 and 6; the mean of four is 4. Where all are more than that is too much, the lightest goes.
        let (shards, homes) = ([3, 3, 3, 3, 3, 3], [0, 0, 1, 1, 2, 2]);
        assert_eq!(Rule::Values.take(&shards, &homes, 3), [1]);
    }

    fn moved(homes: &[usize], taken: &[usize], to: usize) -> Vec<usize> {
        let mut homes = homes.to_vec();
        for &shard in taken {
            homes[shard] = to;
        }
        homes
    }
}

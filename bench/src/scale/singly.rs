//! Tenants that leave their shard, one by one, each an exception of its own in the router's table. (What evens out servers by
//! tenants does so by whole shards, too.)

use super::balance::{Weight, heaviest, lightest, loads};

/// A server may hold so much more than the mean.
pub const LIMIT: f64 = 1.2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The tenant, or the shard.
    pub what: usize,
    pub to: usize,
}

/// The tenants that are servers by themselves: each holds more than a server does on average, of those that the others
/// share. They get one each, beside those. `values` are sorted, largest first; the giants are the first so many.
pub fn giants(values: &[Weight], servers: usize) -> usize {
    let mut shared: Weight = values.iter().sum();
    for (before, &value) in values.iter().enumerate() {
        if value * servers as Weight <= shared {
            return before;
        }
        shared -= value;
    }
    values.len()
}

/// The tenants to move until no server is above the limit; none at all if moving tenants does not do it. `homes` is each
/// tenant's server.
///
/// The smallest tenant whose move is enough goes, else the largest one that finds room, from the heaviest server to the lightest.
/// Nobody moves twice: a server that has taken one is at the limit or below, and so gives none. That is few, if not provably
/// the fewest.
pub fn even_out(values: &[Weight], homes: &[usize], servers: usize) -> Option<Vec<Move>> {
    let mut loads = loads(values, homes, servers);
    let limit = (values.iter().sum::<Weight>() as f64 / servers as f64 * LIMIT) as Weight;
    let mut lists: Vec<Option<Vec<usize>>> = vec![None; servers];
    let mut moves = Vec::new();
    loop {
        let from = heaviest(&loads);
        if loads[from] <= limit {
            return Some(moves);
        }
        let to = lightest(&loads);
        let (excess, room) = (loads[from] - limit, limit.checked_sub(loads[to])?);
        let list = lists[from].get_or_insert_with(|| largest_first(values, homes, from));
        let at = choice(list, values, excess, room)?;
        let tenant = list.remove(at);
        loads[from] -= values[tenant];
        loads[to] += values[tenant];
        moves.push(Move { what: tenant, to });
    }
}

fn largest_first(values: &[Weight], homes: &[usize], server: usize) -> Vec<usize> {
    let is_there = |&tenant: &usize| homes[tenant] == server && values[tenant] > 0;
    let mut tenants: Vec<usize> = (0..values.len()).filter(is_there).collect();
    tenants.sort_by_key(|&tenant| std::cmp::Reverse(values[tenant]));
    tenants
}

/// Whose turn it is, in a list with the largest first.
fn choice(list: &[usize], values: &[Weight], excess: Weight, room: Weight) -> Option<usize> {
    let largest_with_room = list.partition_point(|&tenant| values[tenant] > room);
    let enough = list.partition_point(|&tenant| values[tenant] >= excess);
    let at = largest_with_room.max(enough.saturating_sub(1));
    (at < list.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::{Move, even_out, giants};

    #[test]
    fn one_move_that_is_enough_is_preferred_to_a_larger_one() {
        // 22 and 10: the limit is 19.2, so that 3 have to go; 5 is the least that does it.
        let (values, homes) = ([9, 8, 5, 10], [0, 0, 0, 1]);
        assert_eq!(even_out(&values, &homes, 2), Some(vec![Move { what: 2, to: 1 }]));
    }

    #[test]
    fn where_no_single_move_is_enough_the_largest_that_find_room_go() {
        // 24 and 0: the limit is 14.4; nobody has 10.
        let (values, homes) = ([6, 6, 6, 6], [0; 4]);
        let moves = even_out(&values, &homes, 2).expect("there is room");
        assert_eq!(moves.iter().map(|one| one.what).collect::<Vec<_>>(), [0, 3]);
    }

    #[test]
    fn a_tenant_too_large_for_the_lightest_server_stays_and_smaller_ones_go() {
        // 21 and 9: the limit is 18, so that 3 have to go, and there is room for 9.
        let (values, homes) = ([15, 2, 2, 2, 9], [0, 0, 0, 0, 1]);
        let moves = even_out(&values, &homes, 2).expect("there is room");
        assert_eq!(moves.iter().map(|one| one.what).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn what_is_even_enough_stays() {
        assert_eq!(even_out(&[6, 5], &[0, 1], 2), Some(Vec::new()));
    }

    #[test]
    fn what_is_larger_than_the_limit_is_evened_out_by_no_move() {
        assert_eq!(even_out(&[30, 5, 5], &[0, 1, 1], 2), None);
    }

    #[test]
    fn a_giant_is_larger_than_what_a_server_of_the_others_holds() {
        assert_eq!(giants(&[30, 5, 5], 2), 1);
        assert_eq!(giants(&[5, 5], 2), 0);
        // Once the first has gone, the second is one as well.
        assert_eq!(giants(&[60, 20, 4, 4, 4, 4, 4], 3), 2);
    }
}

//! Whether two things can be told apart by how long they take.

/// How long something took, many times: in nanoseconds, the shortest first.
#[derive(Clone, Debug)]
pub struct Distribution(Vec<f64>);

impl Distribution {
    /// Of these times.
    ///
    /// # Panics
    ///
    /// Where there are none.
    #[must_use]
    pub fn of(mut nanoseconds: Vec<f64>) -> Self {
        assert!(!nanoseconds.is_empty(), "nothing was measured");
        nanoseconds.sort_by(f64::total_cmp);
        Self(nanoseconds)
    }

    /// The time that this share of all stays below: the median for 0.5.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.0.len() - 1;
        self.0[((last as f64 * share).round() as usize).min(last)]
    }

    /// How often somebody is right who is shown one time of each and says which is whose, by whichever rule is the
    /// better one: that the longer is the other's, or that it is not. 0.5 is no better than a coin, 1 is always.
    ///
    /// This is the area under the receiver's curve (the statistic of Mann and Whitney over the number of pairs), folded.
    /// Of two equal distributions of `n` times each it strays from 0.5 by some `0.4 / √n`.
    #[must_use]
    pub fn told_from(&self, other: &Self) -> f64 {
        let mut above = 0.0;
        let (mut less, mut at_most) = (0, 0);
        for time in &self.0 {
            while other.0.get(less).is_some_and(|other| other < time) {
                less += 1;
            }
            while other.0.get(at_most).is_some_and(|other| other <= time) {
                at_most += 1;
            }
            above += (less + at_most) as f64 / 2.0;
        }
        let area = above / (self.0.len() * other.0.len()) as f64;
        area.max(1.0 - area)
    }

    /// The greatest difference between the shares of both that are at most as long as some time (Kolmogorov and Smirnov):
    /// 0 for equal ones, 1 for those that don't overlap. It sees what differs in shape alone, too.
    #[must_use]
    pub fn distance(&self, other: &Self) -> f64 {
        let share = |all: &[f64], time: f64| {
            all.partition_point(|other| *other <= time) as f64 / all.len() as f64
        };
        let apart = |time: &f64| (share(&self.0, *time) - share(&other.0, *time)).abs();
        self.0.iter().chain(&other.0).map(apart).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[f64]) -> Distribution {
        Distribution::of(times.to_vec())
    }

    #[test]
    fn quantiles_are_of_what_was_measured() {
        let times = of(&[5.0, 1.0, 4.0, 2.0, 3.0]);
        for (share, want) in [(0.0, 1.0), (0.5, 3.0), (0.9, 5.0), (1.0, 5.0)] {
            assert_eq!(times.quantile(share), want);
        }
    }

    #[test]
    fn what_is_equal_is_not_told_apart() {
        let times = of(&[1.0, 2.0, 2.0, 7.0]);
        assert_eq!(times.told_from(&times), 0.5);
        assert_eq!(times.distance(&times), 0.0);
    }

    #[test]
    fn what_does_not_overlap_is_told_apart_each_time() {
        let (short, long) = (of(&[1.0, 2.0]), of(&[3.0, 4.0, 5.0]));
        for (one, other) in [(&short, &long), (&long, &short)] {
            assert_eq!(one.told_from(other), 1.0);
            assert_eq!(one.distance(other), 1.0);
        }
    }

    #[test]
    fn it_is_the_share_of_pairs_in_the_right_order() {
        // Of six pairs, four have the second one longer and one is a draw.
        let (one, other) = (of(&[1.0, 4.0]), of(&[2.0, 4.0, 6.0]));
        let pairs = (4.0 + 0.5) / 6.0;
        assert!((one.told_from(&other) - pairs).abs() < 1e-12);
        assert!((other.told_from(&one) - pairs).abs() < 1e-12);
    }

    #[test]
    fn distance_sees_a_shape_that_order_does_not() {
        let (narrow, wide) = (of(&[4.0, 5.0, 6.0]), of(&[1.0, 5.0, 9.0]));
        assert_eq!(narrow.told_from(&wide), 0.5);
        assert!((narrow.distance(&wide) - 1.0 / 3.0).abs() < 1e-12);
    }
}

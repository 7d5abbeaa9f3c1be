use crate::simd::GROUP;

/// A query's components as small integers, folded with the widths of the codes that they multiply.
#[derive(Debug, Default, Clone)]
pub(crate) struct CodeQuery {
    /// Per group of eight dimensions: four signed bytes for the low nibbles and four for the high ones.
    pairs: Vec<[i32; 2]>,
    /// What an integer product of one is worth.
    pub(crate) unit: f32,
    /// Sum of all components, in integers: the share of the codes' common offset.
    pub(crate) sum: i32,
}

impl CodeQuery {
    /// Takes `components`, each already multiplied with the width of its code.
    pub(crate) fn encode(&mut self, components: impl Iterator<Item = f32> + Clone) {
        let (unit, inverse) = unit_of(components.clone());
        self.unit = unit;
        self.sum = 0;
        self.pairs.clear();
        let mut group = [0_u8; GROUP];
        let mut filled = 0;
        for component in components {
            let integer = small(component * inverse);
            self.sum += i32::from(integer);
            group[filled] = integer as u8;
            filled += 1;
            if filled == GROUP {
                self.push(&group);
                (group, filled) = ([0; GROUP], 0);
            }
        }
        if filled > 0 {
            self.push(&group);
        }
    }

    fn push(&mut self, group: &[u8; GROUP]) {
        let [a, b, c, d, e, f, g, h] = *group;
        self.pairs.push([i32::from_le_bytes([a, b, c, d]), i32::from_le_bytes([e, f, g, h])]);
    }

    /// Number of groups of eight dimensions.
    #[inline]
    pub(crate) fn groups(&self) -> usize {
        self.pairs.len()
    }

    #[inline]
    pub(crate) fn pairs(&self) -> &[[i32; 2]] {
        &self.pairs
    }
}

/// What one step of a signed byte is worth so that the greatest component is 127 of them, and its
/// inverse; zero components make both zero.
pub(crate) fn unit_of(components: impl Iterator<Item = f32>) -> (f32, f32) {
    let greatest = components.fold(0.0, |greatest: f32, x| greatest.max(x.abs()));
    if greatest > f32::MIN_POSITIVE { (greatest / 127.0, 127.0 / greatest) } else { (0.0, 0.0) }
}

/// The nearest whole number within 127 of zero.
pub(crate) fn small(x: f32) -> i8 {
    x.round().clamp(-127.0, 127.0) as i8
}

//! Exponentials and logarithms that give the same bits on every machine: additions, multiplications and
//! divisions in a fixed order, on the bits of a double. Loops over them compile to vector instructions, of
//! whatever width: every number goes through the same operations by itself.

/// 1.5 * 2^52: adding it to a small number leaves the nearest integer in the low bits.
const TO_INTEGER: f64 = 6_755_399_441_055_744.0;
/// 2^52 + 1024, and the bits of 2^52: how an exponent in the low bits becomes a number.
const FROM_EXPONENT: f64 = 4_503_599_627_371_520.0;
const BITS_OF_2_52: u64 = 0x4330_0000_0000_0000;
/// Bits of the square root of one half: mantissas lie between it and twice it.
const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
const MANTISSA: u64 = 0x000f_ffff_ffff_ffff;

/// 2^x, to 14 digits; x is held within -1022 and 1023.
#[inline(always)]
pub(crate) fn exp2(x: f64) -> f64 {
    /// ln(2)^n / n!, the highest first.
    const SERIES: [f64; 12] = [
        4.445_538_271_870_81e-10,
        7.054_911_620_801_121e-9,
        1.017_808_600_923_969_6e-7,
        1.321_548_679_014_430_5e-6,
        1.525_273_380_405_983_8e-5,
        0.000_154_035_303_933_816_06,
        0.001_333_355_814_642_844_1,
        0.009_618_129_107_628_477,
        0.055_504_108_664_821_576,
        0.240_226_506_959_100_7,
        std::f64::consts::LN_2,
        1.0,
    ];
    let x = x.clamp(-1_022.0, 1_023.0);
    let shifted = x + TO_INTEGER;
    let rest = x - (shifted - TO_INTEGER);
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1_023) << 52);
    SERIES.iter().fold(0.0, |sum, term| sum * rest + term) * power
}

/// The logarithm to base 2 of a positive, finite number, to 14 digits.
#[inline(always)]
pub(crate) fn log2(x: f64) -> f64 {
    /// 2 / ln(2) / n for n = 17, 15, ..., 1: of the series of artanh.
    const SERIES: [f64; 9] = [
        2.885_390_081_777_926_8 / 17.0,
        2.885_390_081_777_926_8 / 15.0,
        2.885_390_081_777_926_8 / 13.0,
        2.885_390_081_777_926_8 / 11.0,
        2.885_390_081_777_926_8 / 9.0,
        2.885_390_081_777_926_8 / 7.0,
        2.885_390_081_777_926_8 / 5.0,
        2.885_390_081_777_926_8 / 3.0,
        2.885_390_081_777_926_8,
    ];
    let bits = x.to_bits().wrapping_sub(SQRT_HALF);
    // The exponent, 1024 added so that it is no negative number.
    let exponent = (bits.wrapping_add(1_024 << 52) >> 52) | BITS_OF_2_52;
    let mantissa = f64::from_bits((bits & MANTISSA).wrapping_add(SQRT_HALF));
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    SERIES.iter().fold(0.0, |sum, term| sum * square + term) * t + (f64::from_bits(exponent) - FROM_EXPONENT)
}

/// The natural logarithm of a positive, finite number.
#[inline(always)]
pub(crate) fn ln(x: f64) -> f64 {
    log2(x) * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_powers_are_exact_and_the_ends_are_held() {
        for power in -1_022..=1_023 {
            assert_eq!(exp2(f64::from(power)).to_bits(), libm::exp2(f64::from(power)).to_bits());
            assert_eq!(log2(libm::exp2(f64::from(power))).to_bits(), f64::from(power).to_bits());
        }
        assert!(exp2(f64::NEG_INFINITY) < 1e-300 && exp2(f64::INFINITY).is_finite());
    }

    proptest! {
        #[test]
        fn both_agree_with_the_library(x in -1_000.0..1_000.0_f64, y in 1e-300..1e300_f64, z in 0.5..2.0_f64) {
            prop_assert!((exp2(x) / libm::exp2(x) - 1.0).abs() < 1e-13);
            prop_assert!((log2(y) - libm::log2(y)).abs() <= 1e-13 * libm::log2(y).abs().max(1.0));
            prop_assert!((ln(z) - libm::log(z)).abs() < 1e-13);
        }
    }
}

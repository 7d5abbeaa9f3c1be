//! Reads matrices from `.npy` files, as numpy's `np.save` writes them.
//!
//! Versions 1.0, 2.0 and 3.0 of the format, in C order. A file comes from outside: its header is read
//! within bounds, and its length compared with its shape, before anything is allocated for it.
//!
//! **Source**: numpy, NEP 1, "A simple file format for NumPy arrays". We differ: only matrices of
//! little-endian numbers are taken, and a file that goes on after its matrix is refused.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use fs_err::File;
use shortlist_types::limits::{DIMENSIONS_MAX, ENTITIES_MAX};

const MAGIC: [u8; 6] = *b"\x93NUMPY";
/// A matrix needs about a hundred bytes of header; a longer one than this was not meant for us.
const HEADER_BYTES_MAX: usize = 65_536;
/// Numbers converted at a time.
const BLOCK: usize = 16_384;

/// A `.npy` file with a matrix, of which the header was read.
#[derive(Debug)]
pub(crate) struct NpyFile {
    path: PathBuf,
    reader: BufReader<File>,
    element: Element,
    rows: usize,
    columns: usize,
}

/// Types of numbers that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    F16,
    F32,
    F64,
    I32,
    U32,
    I64,
    U64,
}

impl NpyFile {
    /// Reads and checks the header, and the length of the file against it.
    ///
    /// # Errors
    /// One for each way in which the file can be wrong, with the way out.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        ensure!(path.exists(), "{name} does not exist; name a .npy file");
        // Asked before it is opened: a pipe would wait for its writer.
        ensure!(path.is_file(), "{name} is not a regular file; name a .npy file on disk");
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut reader = BufReader::new(file);
        let (header, header_bytes) = read_header(&mut reader).with_context(|| format!("{name} cannot be read"))?;
        let Header { descr, fortran_order, shape } = header;
        let element = Element::of(&descr).with_context(|| {
            format!("{name} holds numbers of type {descr:?}; save array.astype('<f4'), or '<u4' for ids")
        })?;
        let [rows, columns] = shape[..] else {
            bail!(
                "{name} must hold a matrix, one row per vector, got an array of {} axes; reshape it to 2",
                shape.len()
            )
        };
        ensure!(!fortran_order, "{name} is in Fortran order; save np.ascontiguousarray(array)");
        let expected = rows
            .checked_mul(columns)
            .and_then(|count| count.checked_mul(element.bytes()))
            .and_then(|bytes| u64::try_from(bytes).ok()?.checked_add(header_bytes))
            .with_context(|| format!("{name} has the shape {rows} x {columns}, which no file can hold"))?;
        ensure!(
            length == expected,
            "{name} must have {expected} bytes by its shape of {rows} x {columns}, got {length}; copy or save it again"
        );
        Ok(Self { path: path.to_owned(), reader, element, rows, columns })
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers per row.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// The rows as vectors, row-major; `progress` hears how many are read.
    ///
    /// # Errors
    /// Numbers that are no floating-point numbers, more rows or columns than vectors may have, or a
    /// number that is not finite as 32 bits.
    pub(crate) fn vectors(self, progress: &mut dyn FnMut(usize)) -> anyhow::Result<Vec<f32>> {
        let (name, columns, rows) = (self.path.display(), self.columns, self.rows);
        ensure!(
            (1..=DIMENSIONS_MAX).contains(&columns),
            "{name}: vectors must have 1 to {DIMENSIONS_MAX} dimensions, got {columns}"
        );
        ensure!(rows <= ENTITIES_MAX, "{name}: at most {ENTITIES_MAX} rows, got {rows}; split the file");
        match self.element {
            Element::F16 => self.numbers(progress, |bytes| finite(half(u16::from_le_bytes(bytes)))),
            Element::F32 => self.numbers(progress, |bytes| finite(f32::from_le_bytes(bytes))),
            Element::F64 => self.numbers(progress, |bytes| narrowed(f64::from_le_bytes(bytes))),
            _ => bail!("{name} holds integers, vectors are floating-point numbers: save array.astype('<f4')"),
        }
    }

    /// The rows as ids, row-major.
    ///
    /// # Errors
    /// Numbers that are no integers, or an id that is negative or beyond 32 bits.
    pub(crate) fn ids(self) -> anyhow::Result<Vec<u32>> {
        let outside = "is no id: they are 0 to 4294967295";
        let progress = &mut |_rows| {};
        match self.element {
            Element::I32 => self.numbers(progress, |bytes| i32::from_le_bytes(bytes).try_into().map_err(|_| outside)),
            Element::U32 => self.numbers(progress, |bytes| Ok(u32::from_le_bytes(bytes))),
            Element::I64 => self.numbers(progress, |bytes| i64::from_le_bytes(bytes).try_into().map_err(|_| outside)),
            Element::U64 => self.numbers(progress, |bytes| u64::from_le_bytes(bytes).try_into().map_err(|_| outside)),
            _ => bail!(
                "{} holds floating-point numbers, ids are integers: save array.astype('<u4')",
                self.path.display()
            ),
        }
    }

    /// Reads all numbers, `N` bytes each, block by block.
    fn numbers<const N: usize, T>(
        mut self,
        progress: &mut dyn FnMut(usize),
        parse: impl Fn([u8; N]) -> Result<T, &'static str>,
    ) -> anyhow::Result<Vec<T>> {
        let name = self.path.display();
        // The file has this length: no overflow, and no more memory than twice the file.
        let count = self.rows * self.columns;
        let mut numbers = Vec::new();
        numbers.try_reserve_exact(count).map_err(|_| anyhow!("{name} does not fit into memory; split it"))?;
        let mut bytes = vec![0; N * BLOCK.min(count)];
        while numbers.len() < count {
            let wanted = N * BLOCK.min(count - numbers.len());
            self.reader
                .read_exact(&mut bytes[..wanted])
                .with_context(|| format!("{name} changed while it was read"))?;
            for number in bytes[..wanted].as_chunks().0 {
                let at = numbers.len();
                let number = parse(*number)
                    .map_err(|why| anyhow!("{name}: row {}, column {} {why}", at / self.columns, at % self.columns))?;
                numbers.push(number);
            }
            progress(numbers.len() / self.columns);
        }
        Ok(numbers)
    }
}

impl Element {
    fn of(descr: &str) -> Option<Self> {
        Some(match descr {
            "<f2" => Self::F16,
            "<f4" => Self::F32,
            "<f8" => Self::F64,
            "<i4" => Self::I32,
            "<u4" => Self::U32,
            "<i8" => Self::I64,
            "<u8" => Self::U64,
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }
}

fn finite(x: f32) -> Result<f32, &'static str> {
    if x.is_finite() { Ok(x) } else { Err("is NaN or infinite; vectors must be finite") }
}

/// The nearest number of 32 bits; one that is too great for them becomes infinite, and is refused.
fn narrowed(x: f64) -> Result<f32, &'static str> {
    let narrow = x as f32;
    if x.is_finite() && !narrow.is_finite() {
        Err("does not fit into a 32-bit float; scale the vectors")
    } else {
        finite(narrow)
    }
}

/// The value of a number of 16 bits (IEEE 754 binary16), each of which 32 bits hold exactly. Infinity
/// becomes NaN: both are refused.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let fraction = f32::from(bits & 1_023);
    match i32::from(bits >> 10 & 31) {
        0 => sign * fraction * 2_f32.powi(-24),
        31 => f32::NAN,
        exponent => sign * (1_024.0 + fraction) * 2_f32.powi(exponent - 25),
    }
}

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

/// Reads up to the first number; also the bytes until there.
fn read_header(reader: &mut impl Read) -> anyhow::Result<(Header, u64)> {
    let ended = "it ends within its header; copy or save it again";
    let mut start = [0; 8];
    let is_npy = reader.read_exact(&mut start).is_ok() && start.starts_with(&MAGIC);
    ensure!(
        is_npy,
        "it is no .npy file, which begins with \\x93NUMPY; np.save writes one (np.savez and np.savetxt do not)"
    );
    let length_bytes = match (start[6], start[7]) {
        (1, 0) => 2,
        (2 | 3, 0) => 4,
        (major, minor) => {
            bail!("it has version {major}.{minor} of the format, 1.0, 2.0 and 3.0 are read; save it with np.save")
        }
    };
    let mut length = [0; 4];
    reader.read_exact(&mut length[..length_bytes]).context(ended)?;
    let length = u32::from_le_bytes(length) as usize;
    ensure!(
        length <= HEADER_BYTES_MAX,
        "its header has {length} bytes, at most {HEADER_BYTES_MAX} are read; save it with np.save"
    );
    let mut text = vec![0; length];
    reader.read_exact(&mut text).context(ended)?;
    let text = std::str::from_utf8(&text).context("its header is no text; save it again")?;
    let header = Literal { rest: text }.header();
    let header = header.map_err(|why| anyhow!("its header {why}; save a plain array with np.save"))?;
    Ok((header, (start.len() + length_bytes + length) as u64))
}

/// What is left of a Python literal: the few forms of them that a header is made of.
struct Literal<'a> {
    rest: &'a str,
}

impl<'a> Literal<'a> {
    /// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, the keys in any order.
    fn header(mut self) -> Result<Header, String> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        self.expect("{")?;
        while !self.take("}") {
            let key = self.string()?;
            self.expect(":")?;
            let repeated = match key {
                "descr" => descr.replace(self.string()?.to_owned()).is_some(),
                "fortran_order" => fortran_order.replace(self.truth()?).is_some(),
                "shape" => shape.replace(self.tuple()?).is_some(),
                other => return Err(format!("has the unknown key {other:?}")),
            };
            if repeated {
                return Err(format!("has the key {key:?} twice"));
            }
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        if !self.rest.trim().is_empty() {
            return Err("goes on after its end".to_owned());
        }
        Ok(Header {
            descr: descr.ok_or("lacks the key \"descr\"")?,
            fortran_order: fortran_order.ok_or("lacks the key \"fortran_order\"")?,
            shape: shape.ok_or("lacks the key \"shape\"")?,
        })
    }

    /// Whether `token` comes next, which is then passed over.
    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(self.unexpected(token)) }
    }

    fn unexpected(&self, wanted: &str) -> String {
        format!("should go on with {wanted}, got {:?}", self.rest.trim_start().chars().take(20).collect::<String>())
    }

    /// A text in quotes; those that we take have no backslash in them.
    fn string(&mut self) -> Result<&'a str, String> {
        let quote = ["'", "\""].into_iter().find(|quote| self.take(quote));
        let end = quote.and_then(|quote| self.rest.split_once(quote));
        let (text, rest) = end.ok_or_else(|| self.unexpected("a text in quotes"))?;
        self.rest = rest;
        Ok(text)
    }

    fn truth(&mut self) -> Result<bool, String> {
        match (self.take("True"), self.take("False")) {
            (true, false) => Ok(true),
            (false, true) => Ok(false),
            _ => Err(self.unexpected("True or False")),
        }
    }

    /// `()`, `(3,)`, `(3, 4)`: no more numbers than the header has bytes.
    fn tuple(&mut self) -> Result<Vec<usize>, String> {
        let mut numbers = Vec::new();
        self.expect("(")?;
        while !self.take(")") {
            numbers.push(self.number()?);
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(numbers)
    }

    fn number(&mut self) -> Result<usize, String> {
        let text = self.rest.trim_start();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = text.split_at(digits);
        let number = digits.parse().map_err(|_| self.unexpected("a number of rows or columns"))?;
        self.rest = rest;
        // Python 2 wrote long numbers with an L.
        self.take("L");
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

    fn npy(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
        let length = header.len() as u32;
        let length = if version == 1 { &length.to_le_bytes()[..2] } else { &length.to_le_bytes()[..] };
        [&MAGIC[..], &[version, 0], length, header.as_bytes(), data].concat()
    }

    fn open(bytes: &[u8]) -> anyhow::Result<NpyFile> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        std::fs::write(&path, bytes).unwrap();
        NpyFile::open(&path)
    }

    fn refused<T>(result: anyhow::Result<T>) -> String {
        match result {
            Ok(_) => panic!("it was taken"),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn every_version_and_type_gives_the_same_numbers() {
        let wanted = [1.5_f32, -2.0, 0.0, 65_504.0, 2_f32.powi(-24), -0.25];
        let f16 = [0x3e00_u16, 0xc000, 0, 0x7bff, 1, 0xb400].map(u16::to_le_bytes).concat();
        let f32 = wanted.map(f32::to_le_bytes).concat();
        let f64 = wanted.map(|x| f64::from(x).to_le_bytes()).concat();
        for version in [1, 2, 3] {
            for (descr, data) in [("<f2", &f16), ("<f4", &f32), ("<f8", &f64)] {
                let file = open(&npy(version, &HEADER.replace("<f4", descr), data)).unwrap();
                assert_eq!((file.rows(), file.columns()), (2, 3));
                let mut told = 0;
                assert_eq!(file.vectors(&mut |rows| told = rows).unwrap(), wanted);
                assert_eq!(told, 2);
            }
        }
    }

    #[test]
    fn ids_of_every_type_are_read_and_what_is_no_id_is_named() {
        let open = |descr, data: &[u8]| open(&npy(1, &HEADER.replace("<f4", descr).replace("(2, 3)", "(1, 2L)"), data));
        for (descr, bytes) in [("<i4", 4), ("<u4", 4), ("<i8", 8), ("<u8", 8)] {
            let mut data = vec![0; 2 * bytes];
            data[..2].copy_from_slice(&[7, 1]);
            assert_eq!(open(descr, &data).unwrap().ids().unwrap(), [263, 0]);
            assert!(refused(open(descr, &data).unwrap().vectors(&mut |_| {})).contains("<f4"));
            // Minus one, or beyond 32 bits.
            data[bytes..].fill(0xff);
            if descr != "<u4" {
                let error = refused(open(descr, &data).unwrap().ids());
                assert!(error.contains("row 0, column 1 is no id"), "{error}");
            }
        }
        assert!(refused(open("<f4", &[0; 8]).unwrap().ids()).contains("<u4"));
    }

    #[test]
    fn numbers_that_are_not_finite_are_named() {
        let with = |descr: &str, last: &[u8]| {
            let data = [vec![0; last.len() * 5], last.to_vec()].concat();
            refused(open(&npy(1, &HEADER.replace("<f4", descr), &data)).unwrap().vectors(&mut |_| {}))
        };
        for error in [
            with("<f2", &0x7c00_u16.to_le_bytes()),
            with("<f4", &f32::NAN.to_le_bytes()),
            with("<f4", &f32::NEG_INFINITY.to_le_bytes()),
            with("<f8", &f64::INFINITY.to_le_bytes()),
        ] {
            assert!(error.contains("row 1, column 2 is NaN or infinite"), "{error}");
        }
        let error = with("<f8", &1e39_f64.to_le_bytes());
        assert!(error.contains("row 1, column 2 does not fit into a 32-bit float"), "{error}");
    }

    #[test]
    fn headers_are_read_in_any_order_and_spacing() {
        let read = |text| Literal { rest: text }.header();
        let wanted = Header { descr: "<f4".to_owned(), fortran_order: false, shape: vec![2, 3] };
        for text in [
            HEADER,
            "{\"shape\":(2,3),\"descr\":\"<f4\",\"fortran_order\":False}   \n",
            " { 'fortran_order' : False , 'descr' : '<f4' , 'shape' : ( 2 , 3 , ) , } \n",
        ] {
            assert_eq!(read(text).unwrap(), wanted, "{text}");
        }
        for (text, why) in [
            ("", "should go on with {"),
            ("{", "a text in quotes"),
            ("{}", "lacks the key \"descr\""),
            ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "a text in quotes"),
            ("{'descr': '<f4", "a text in quotes"),
            ("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", "True or False"),
            ("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "twice"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2)}", "a number of rows"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 2)}", "a number of rows"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2}", "should go on with )"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}", "unknown key"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", "after its end"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_length_that_does_not_fit_the_shape_is_refused_before_anything_is_allocated() {
        let whole = npy(1, HEADER, &[0; 24]);
        assert!(open(&whole).is_ok());
        for length in 0..whole.len() {
            refused(open(&whole[..length]));
        }
        refused(open(&[&whole[..], &[0]].concat()));
        for shape in ["(4611686018427387904, 4)", "(18446744073709551615, 1)", "(1000000000000, 64)"] {
            let error = refused(open(&npy(1, &HEADER.replace("(2, 3)", shape), &[0; 24])));
            assert!(error.contains("no file can hold") || error.contains("must have"), "{error}");
        }
        let long = [&MAGIC[..], &[2, 0], &u32::MAX.to_le_bytes()].concat();
        assert!(refused(open(&long)).contains("4294967295 bytes"));
    }

    #[test]
    fn no_byte_of_a_header_makes_it_panic() {
        let whole = npy(1, HEADER, &[0; 24]);
        for at in 0..whole.len() - 24 {
            for byte in 0..=255 {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                let _ = read_header(&mut &bytes[..]);
            }
        }
    }

    #[test]
    fn what_is_not_taken_says_the_way_out() {
        for (header, way_out) in [
            (HEADER.replace("<f4", ">f4"), "astype"),
            (HEADER.replace("<f4", "|S4"), "astype"),
            (HEADER.replace("False", "True"), "ascontiguousarray"),
            (HEADER.replace("(2, 3)", "(6,)"), "reshape"),
            (HEADER.replace("(2, 3)", "()"), "reshape"),
        ] {
            let error = refused(open(&npy(1, &header, &[0; 24])));
            assert!(error.contains("x.npy") && error.contains(way_out), "{error}");
        }
        assert!(refused(open(b"PK\x03\x04 an archive")).contains("np.savez"));
        assert!(refused(open(&npy(9, HEADER, &[0; 24]))).contains("version 9.0"));
        for (shape, columns) in [("(1, 0)", 0), ("(1, 4097)", 4_097)] {
            let wide = open(&npy(1, &HEADER.replace("(2, 3)", shape), &vec![0; 4 * columns]));
            assert!(refused(wide.unwrap().vectors(&mut |_| {})).contains("1 to 4096 dimensions"));
        }
        assert!(refused(NpyFile::open(&std::env::temp_dir())).contains("not a regular file"));
    }
}

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::testing::folder;
use BenchmarkFormat::{Adjacency, LeaveOneOut, Sequence};

/// Reads the files called `train`, `valid`, `test` and `negatives` in `folder`, as far as they are there. Errors are
/// texts without the folder's name.
fn read(format: BenchmarkFormat, folder: &TempDir) -> Result<Benchmark, String> {
    let path = |name: &str| Some(folder.path().join(name)).filter(|path| path.exists());
    let files = BenchmarkFiles {
        format,
        train: folder.path().join("train"),
        valid: path("valid"),
        test: path("test"),
        negatives: path("negatives"),
    };
    let prefix = format!("{}/", folder.path().display());
    read_benchmark(&files, &mut |_, _| ()).map_err(|error| error.to_string().replace(&prefix, ""))
}

fn read_files(format: BenchmarkFormat, files: &[(&str, &str)]) -> Result<Benchmark, String> {
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    read(format, &folder(&files))
}

/// The message of the error.
fn refused(format: BenchmarkFormat, files: &[(&str, &str)]) -> String {
    read_files(format, files).unwrap_err()
}

fn ids(benchmark: &Benchmark) -> (Vec<&str>, Vec<&str>) {
    (benchmark.users.iter().map(|id| id.as_str()).collect(), benchmark.items.iter().map(|id| id.as_str()).collect())
}

#[test]
fn adjacency_numbers_ids_by_value_over_all_files() {
    let files = [("train", "10 30 4\n9 4\n"), ("valid", "9 100\n"), ("test", "10 5\n11 30\n")];
    let benchmark = read_files(Adjacency, &files).unwrap();
    assert_eq!(ids(&benchmark), (vec!["9", "10", "11"], vec!["4", "5", "30", "100"]));
    assert_eq!(benchmark.train, [(0, 0), (1, 0), (1, 2)]);
    assert_eq!(benchmark.valid, Some(vec![(0, 3)]));
    assert_eq!(benchmark.test, [(1, 1), (2, 2)]);
    assert_eq!(benchmark.negatives, None);
    let report = BenchmarkReport { cold_users: 1, cold_pairs: 1, ..BenchmarkReport::default() };
    assert_eq!(benchmark.report, report);
}

#[test]
fn users_may_have_no_items_and_several_lines_of_any_ending() {
    let train = "\u{feff}u b\r\n\r\n \t\nempty\nu  c\ta b\r\nlast z";
    let benchmark = read_files(Adjacency, &[("train", train), ("test", "u d\nalso-empty\n")]).unwrap();
    assert_eq!(ids(&benchmark), (vec!["also-empty", "empty", "last", "u"], vec!["a", "b", "c", "d", "z"]));
    assert_eq!(benchmark.train, [(2, 4), (3, 0), (3, 1), (3, 2)]);
    assert_eq!(benchmark.report.train_repeats, 1);
}

#[test]
fn a_test_that_was_trained_on_is_counted_and_not_refused() {
    let files = [("train", "1 1 2\n2 3\n"), ("valid", "1 2 4\n"), ("test", "1 1 2\n2 3 3\n")];
    let report = read_files(Adjacency, &files).unwrap().report;
    assert_eq!((report.test_in_train, report.valid_in_train, report.test_in_valid, report.test_repeats), (3, 1, 1, 1));
}

const CASES: [(&str, &str); 2] =
    [("train", "1\t1\n1 2 5\n2\t1\t3.5\t978300760\n"), ("test", "2\t3\t5\t978300760\n1\t4\n")];

#[test]
fn leave_one_out_without_negatives_ranks_all_items() {
    let benchmark = read_files(LeaveOneOut, &CASES).unwrap();
    assert_eq!(ids(&benchmark), (vec!["1", "2"], vec!["1", "2", "3", "4"]));
    assert_eq!(benchmark.train, [(0, 0), (0, 1), (1, 0)]);
    assert_eq!((benchmark.test, benchmark.negatives), (vec![(0, 3), (1, 2)], None));
}

#[test]
fn negatives_of_both_forms_follow_the_order_of_the_test_pairs_and_stay_as_they_are() {
    for negatives in ["(2,3)\t9\t1\t9\n(1,4)\t4\t2\n", "1 4 2\n2\t9\t1\t9\n"] {
        let benchmark = read_files(LeaveOneOut, &[CASES[0], CASES[1], ("negatives", negatives)]).unwrap();
        assert_eq!(ids(&benchmark).1, ["1", "2", "3", "4", "9"]);
        assert_eq!(benchmark.negatives, Some(vec![vec![3, 1], vec![4, 0, 4]]), "{negatives:?}");
        assert_eq!(benchmark.report.cases_among_own_negatives, 1);
    }
}

#[test]
fn brackets_and_commas_in_ids_do_not_confuse_test_cases() {
    let files = [("train", "a,b x\n(a x\n"), ("test", "a,b c,d\n(a (\n"), ("negatives", "(a,b,c,d) n\n(a m\n")];
    let benchmark = read_files(LeaveOneOut, &files).unwrap();
    assert_eq!(ids(&benchmark), (vec!["(a", "a,b"], vec!["(", "c,d", "m", "n", "x"]));
    assert_eq!(benchmark.negatives, Some(vec![vec![2], vec![3]]));
}

#[test]
fn a_header_is_passed_over_where_it_can_be() {
    let header = "user_id\titem_id\trating\ttimestamp\n";
    let with_header = CASES.map(|(name, text)| (name, format!("{header}{text}")));
    let with_header = with_header.each_ref().map(|(name, text)| (*name, text.as_str()));
    assert_eq!(read_files(LeaveOneOut, &with_header), read_files(LeaveOneOut, &CASES));
    let late = refused(LeaveOneOut, &[("train", &format!("1 1\n{header}")), CASES[1]]);
    assert_eq!(late, "train:2: rating: must be a number, got \"rating\"");
}

#[test]
fn wrong_lines_of_leave_one_out_are_named() {
    let test = |text: &str| refused(LeaveOneOut, &[CASES[0], ("test", text)]);
    assert_eq!(test("1 4\n\n1 5\n"), "test:3: user_id: must have one item, got \"1\" again with \"5\"");
    assert_eq!(test("1\n"), "test:1: row: must have 2 to 4 fields, user item [rating [time]], got 1");
    assert_eq!(read_files(LeaveOneOut, &[CASES[0], ("test", "1 4\n1 4\n")]).unwrap().report.test_repeats, 1);

    let negatives = |text: &str| refused(LeaveOneOut, &[CASES[0], CASES[1], ("negatives", text)]);
    let not_a_case = "negatives:1: case: must be a user of the test file, or (user,item) as there, got ";
    for case in ["(2,4)", "7", "(2.3)", "(2,3", "(,)", "()", "2,3"] {
        assert_eq!(negatives(&format!("{case}\t1\n")), format!("{not_a_case}{case:?}"));
    }
    assert_eq!(negatives("2 1\n(2,3) 1\n"), "negatives:2: case: must have one line, got \"(2,3)\" again");
    assert_eq!(negatives("2\n"), "negatives:1: negatives: must be at least one item, got none");
    assert_eq!(negatives("2 1\n"), "negatives: expected negatives for every test case, got none for user 1");
}

#[test]
fn a_sequence_ends_in_validation_and_test() {
    let benchmark = read_files(Sequence, &[("train", "1 30 10 20\n2 10 30\n3 10 20 10 40\n4\n")]).unwrap();
    assert_eq!(ids(&benchmark), (vec!["1", "2", "3", "4"], vec!["10", "20", "30", "40"]));
    assert_eq!(benchmark.train, [(0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]);
    assert_eq!(benchmark.valid, Some(vec![(0, 0), (2, 0)]));
    assert_eq!(benchmark.test, [(0, 1), (2, 3)]);
    assert_eq!((benchmark.report.valid_in_train, benchmark.report.cold_pairs), (1, 1));
}

#[test]
fn a_user_with_two_sequences_is_refused() {
    let error = refused(Sequence, &[("train", "a 1 2 3\nb 1\na 4\n")]);
    assert_eq!(error, "train:3: user_id: must have one line, in order of time, got \"a\" again");
}

#[test]
fn each_format_takes_its_files_and_no_others() {
    let line = "1 1 2 3\n";
    assert_eq!(refused(Adjacency, &[("train", line)]), "adjacency needs --test");
    assert_eq!(refused(LeaveOneOut, &[("train", line)]), "leave-one-out needs --test");
    let with = |format, name| refused(format, &[("train", line), ("test", line), (name, line)]);
    assert_eq!(with(Adjacency, "negatives"), "adjacency takes no --negatives of its own, got negatives");
    assert_eq!(with(Sequence, "other"), "sequence takes no --test of its own, got test");
    let valid = [("train", line), ("valid", line)];
    assert_eq!(refused(Sequence, &valid), "sequence takes no --valid of its own, got valid");
}

#[cfg(unix)]
#[test]
fn the_one_file_of_a_sequence_may_be_given_again_as_its_test() {
    let folder = folder(&[("train", b"1 1 2 3\n")]);
    let alone = read(Sequence, &folder).unwrap();
    fs_err::os::unix::fs::symlink(folder.path().join("train"), folder.path().join("test")).unwrap();
    assert_eq!(read(Sequence, &folder).unwrap(), alone);
}

#[test]
fn files_with_nothing_in_them_are_refused() {
    let hint = "got none; is it of another format?";
    let line = ("train", "1 1 2 3\n");
    let empty = "test: expected pairs of user and item";
    assert_eq!(refused(Adjacency, &[line, ("test", "\n")]), format!("{empty}, {hint}"));
    assert_eq!(refused(LeaveOneOut, &[("train", "1 1\n"), ("test", "user item\n")]), format!("{empty}, {hint}"));
    let commas = refused(Adjacency, &[("train", "1,2,3\n"), ("test", line.1)]);
    assert_eq!(commas, format!("train: expected pairs of user and item, {hint}"));
    let short = refused(Sequence, &[("train", "1 1 2\n")]);
    assert_eq!(short, format!("train: expected a user with at least 3 items, {hint}"));
    let missing = refused(Adjacency, &[("test", "1 1\n")]);
    assert!(missing.contains("train") && missing.contains("No such file"), "{missing}");
}

#[test]
fn ids_and_lines_beyond_their_limits_are_named() {
    let id = "x".repeat(129);
    let error = refused(Adjacency, &[("train", &format!("1 2\n1 {id}\n")), ("test", "1 1\n")]);
    assert_eq!(error, "train:2: item_id: must be at most 128 bytes, got 129");
    let error = refused(Adjacency, &[("train", "a\u{202e}b 1\n"), ("test", "1 1\n")]);
    assert_eq!(error, "train:1: user_id: must not contain control or format characters, got U+202E");
    let long = "1 ".repeat(crate::limits::BENCHMARK_LINE_BYTES_MAX / 2 + 1);
    let error = refused(Adjacency, &[("train", &long), ("test", "1 1\n")]);
    assert_eq!(error, "train:1: row: must be at most 16777216 bytes");
    let latin = folder(&[("train", b"1 2\n1 caf\xe9\n"), ("test", b"1 1\n")]);
    assert_eq!(read(Adjacency, &latin).unwrap_err(), "train:2: row: must be UTF-8, but is not from byte 6 on");
}

#[test]
fn progress_reaches_the_bytes_of_all_files() {
    let folder = folder(&[("train", b"1 1\n2 2\n"), ("test", b"1 2\n")]);
    let [train, test] = ["train", "test"].map(|name| folder.path().join(name));
    let files = BenchmarkFiles { format: Adjacency, train, valid: None, test: Some(test), negatives: None };
    let mut heard = Vec::new();
    read_benchmark(&files, &mut |done, total| heard.push((done, total))).unwrap();
    assert_eq!(heard, [(8, 12), (12, 12)]);
}

proptest! {
    #[test]
    fn pairs_come_back_whatever_the_order_of_lines(
        pairs in prop::collection::vec((0_u32..20, 0_u32..50), 1..80), by_text: bool,
    ) {
        let name = |n: u32| if by_text { format!("n{n}") } else { n.to_string() };
        let lines: Vec<String> = pairs.iter().map(|(user, item)| format!("{} {}\n", name(*user), name(*item))).collect();
        let backwards: String = lines.iter().rev().map(String::as_str).collect();
        let whole = lines.concat();
        let read = |train: &str| read_files(Adjacency, &[("train", train), ("test", &whole)]).unwrap();
        let benchmark = read(&whole);
        prop_assert_eq!(&read(&backwards), &benchmark);
        let (users, items) = ids(&benchmark);
        let mut got: Vec<_> = benchmark.train.iter().map(|&(u, i)| (users[u as usize], items[i as usize])).collect();
        got.sort_unstable();
        let named: Vec<_> = pairs.iter().map(|(user, item)| (name(*user), name(*item))).collect();
        let mut expected: Vec<_> = named.iter().map(|(user, item)| (user.as_str(), item.as_str())).collect();
        expected.sort_unstable();
        expected.dedup();
        prop_assert_eq!(&got, &expected);
        prop_assert!(benchmark.train.is_sorted());
        prop_assert_eq!(benchmark.report.train_repeats + expected.len(), pairs.len());
        prop_assert_eq!(benchmark.report.test_in_train, expected.len());
    }

    #[test]
    fn any_bytes_are_read_or_refused_and_never_panic(
        train in prop::collection::vec(prop::sample::select(b"12ab \t\n\r(),\xff\xef.-".to_vec()), 0..60), which in 0_usize..3,
    ) {
        let files: [(&str, &[u8]); 3] = [("train", &train), ("test", &train), ("negatives", &train)];
        let format = BenchmarkFormat::ALL[which];
        let taken = match format { Sequence => 1, Adjacency => 2, LeaveOneOut => 3 };
        let _ = read(format, &folder(&files[..taken]));
    }
}

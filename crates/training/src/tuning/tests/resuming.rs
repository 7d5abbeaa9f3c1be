use std::io;

use super::*;

const SEED: u64 = 11;

/// The journal of a study that ran through.
fn whole_journal(trials: usize) -> Vec<u8> {
    let mut kept = Vec::new();
    go_on(&mut kept, trials);
    kept
}

/// Resumes from `kept` as the command line does, and goes on to the end.
fn go_on(kept: &mut Vec<u8>, trials: usize) {
    let mut study = Study::new(one_of_each(), config(trials, SEED)).unwrap();
    let bytes = study.resume(kept.as_slice()).unwrap();
    kept.truncate(usize::try_from(bytes).unwrap());
    let mut journal = study.journal(kept).unwrap();
    run(&mut study, &mut mixed, &mut journal).unwrap();
}

fn refusal(journal: &[u8], config: StudyConfig) -> String {
    let mut study = Study::new(one_of_each(), config).unwrap();
    let error = study.resume(journal).unwrap_err().to_string();
    assert!(study.records().is_empty(), "a refused journal leaves nothing behind");
    error
}

fn lines(journal: &[u8]) -> Vec<String> {
    String::from_utf8(journal.to_vec()).unwrap().split_inclusive('\n').map(str::to_owned).collect()
}

#[test]
fn a_study_interrupted_after_any_trial_ends_as_if_it_had_run_through() {
    let whole = whole_journal(14);
    let lines = lines(&whole);
    assert_eq!(lines.len(), 15);
    for kept in 0..=lines.len() {
        let mut journal = lines[..kept].concat().into_bytes();
        go_on(&mut journal, 14);
        assert_eq!(String::from_utf8(journal).unwrap(), lines.concat(), "after {kept} lines");
    }
}

#[test]
fn a_journal_torn_at_any_byte_is_mended() {
    let whole = whole_journal(4);
    for length in 0..whole.len() {
        let mut torn = whole[..length].to_vec();
        go_on(&mut torn, 4);
        assert_eq!(torn, whole, "torn at {length}");
    }
}

#[test]
fn a_journal_that_cannot_be_written_stops_the_study() {
    /// Takes the header, and then the disk is full.
    struct Full(usize);
    impl io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0 > 1 { Err(io::Error::other("no space left")) } else { Ok(bytes.len()) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut study = Study::new(one_of_each(), config(4, SEED)).unwrap();
    let mut journal = study.journal(Full(0)).unwrap();
    let error = run(&mut study, &mut mixed, &mut journal).unwrap_err();
    assert_eq!(error.to_string(), "journal: no space left; trials up to here are kept, run again to go on");
}

#[test]
fn a_study_that_ran_without_a_journal_can_be_given_one() {
    let mut study = Study::new(one_of_each(), config(4, SEED)).unwrap();
    run(&mut study, &mut mixed, &mut NoJournal).unwrap();
    let mut kept = Vec::new();
    study.journal(&mut kept).unwrap();
    assert_eq!(kept, whole_journal(4));
}

#[test]
fn the_journal_of_another_study_is_refused_with_what_differs_and_the_way_out() {
    let journal = whole_journal(2);
    assert_eq!(
        refusal(&journal, config(2, 12)),
        "journal: it belongs to another study: the seed was 11 and is now 12; go back to the old value to go on \
         with it, or name another file to begin anew"
    );
    let data = StudyConfig { data_fingerprint: "gowalla, ials".to_owned(), ..config(2, SEED) };
    assert!(refusal(&journal, data).contains("the data was movielens, ials and is now gowalla, ials;"));
    let metric = StudyConfig { metric: "recall_at_20".to_owned(), ..config(2, SEED) };
    assert!(refusal(&journal, metric).contains("the metric was ndcg_at_20 and is now recall_at_20;"));
    let mut parameters = one_of_each().parameters().to_vec();
    parameters[1].default = json!(0.25);
    let mut study = Study::new(SearchSpace::parse(parameters.clone()).unwrap(), config(2, SEED)).unwrap();
    let error = study.resume(journal.as_slice()).unwrap_err().to_string();
    let dropout = r#"{"uniform":{"low":0.0,"high":0.9}}, by default"#;
    assert!(error.contains(&format!("the parameter dropout was {dropout} 0.5 and is now {dropout} 0.25;")), "{error}");
    parameters.pop();
    let mut study = Study::new(SearchSpace::parse(parameters).unwrap(), config(2, SEED)).unwrap();
    let error = study.resume(journal.as_slice()).unwrap_err().to_string();
    assert!(error.contains("the list of parameters was regularization, dropout, epochs, loss and is now"), "{error}");
}

#[test]
fn a_file_that_is_no_journal_is_refused_even_without_an_end_of_line() {
    let expected = "journal: the first line is not the header of a study; name another file";
    for foreign in ["user,item\n1,2\n", "{", "{\"shortlist_study\":2", "{\"a\":1}\n", "x", "\n"] {
        let own_prefix = foreign == "{";
        let mut study = Study::new(one_of_each(), config(2, SEED)).unwrap();
        match study.resume(foreign.as_bytes()) {
            Ok(bytes) => assert!(own_prefix && bytes == 0, "{foreign}"),
            Err(error) => assert_eq!(error.to_string(), expected, "{foreign}"),
        }
    }
}

#[test]
fn a_damaged_line_before_the_last_is_named() {
    let lines = lines(&whole_journal(12));
    let damaged = |change: &dyn Fn(&mut Vec<String>)| {
        let mut changed = lines.clone();
        change(&mut changed);
        refusal(changed.concat().as_bytes(), config(12, SEED))
    };
    let torn = damaged(&|lines| lines[3].truncate(20));
    assert!(torn.starts_with("journal: line 4 is damaged: "), "{torn}");
    assert!(torn.contains("remove it and all lines after it to make their trials again"), "{torn}");
    let lost = damaged(&|lines| drop(lines.remove(5)));
    assert!(lost.contains("line 6 is damaged: expected trial 4, got trial 5;"), "{lost}");
    let other_trial = damaged(&|lines| lines[2] = lines[2].replace("\"epochs\":", "\"epochs\":1"));
    assert!(other_trial.contains("line 3 is damaged: trial 1 is not the one that follows"), "{other_trial}");
    // Another result would have led the search elsewhere.
    let other_result = damaged(&|lines| lines[4] = lines[4].replace("\"mean\":0.", "\"mean\":7."));
    assert!(other_result.contains("is damaged: trial ") && other_result.contains("is not the one"), "{other_result}");
    let not_text = damaged(&|lines| lines[1] = "\0\0\0\n".to_owned());
    assert!(not_text.contains("line 2 is damaged: "), "{not_text}");
}

#[test]
fn an_endless_line_is_not_read_to_its_end() {
    let mut journal = whole_journal(1);
    journal.resize(journal.len() + 5 * 1024 * 1024, b' ');
    assert!(refusal(&journal, config(1, SEED)).contains("line 3 is damaged: expected at most 4194304 bytes"));
}

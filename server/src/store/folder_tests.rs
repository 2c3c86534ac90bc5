use std::path::Path;

use rectify_core::event::{Event, RunState};

use super::{Ending, RecordSettings, Recorder, RunFolder, is_run_id, testing::run};

fn written(folder: &Path, name: &str, hosts: usize, tasks: usize) -> (RunFolder, Vec<Event>) {
    let (head, events) = run::check(name, hosts, tasks);
    let mut recorder = Recorder::begin(folder, &head).unwrap();
    for event in &events {
        recorder.take(event).unwrap();
    }
    (recorder.finish().unwrap(), events)
}

#[test]
fn what_is_recorded_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (own, events) = written(folder.path(), "20270101T000000Z-00001", 2, 3);
    assert_eq!(own.head().unwrap().hosts.len(), 2);
    let mut read = own.events().unwrap();
    assert_eq!(read.by_ref().collect::<Vec<_>>(), events);
    assert_eq!(*read.ending(), Ending::Whole);
    let mut state = RunState::default();
    events.iter().for_each(|event| state.apply(event).unwrap());
    assert!(state.finished && !own.is_running());
    // As everybody reads it.
    let plain = std::process::Command::new("zcat").arg(own.path().join("events.jsonl.gz")).output().unwrap().stdout;
    assert_eq!(plain.iter().filter(|byte| **byte == b'\n').count(), events.len());
}

#[test]
fn a_run_that_broke_off_at_any_byte_gives_back_every_whole_event() {
    let folder = tempfile::tempdir().unwrap();
    let (own, events) = written(folder.path(), "20270101T000000Z-00001", 2, 2);
    let file = own.path().join("events.jsonl.gz");
    let whole = std::fs::read(&file).unwrap();
    let mut most = 0;
    for cut in 0..whole.len() {
        std::fs::write(&file, &whole[..cut]).unwrap();
        let mut read = own.events().unwrap();
        let got: Vec<Event> = read.by_ref().collect();
        assert_eq!(got, events[..got.len()], "cut at {cut}");
        let ended = got.len() == events.len();
        assert_eq!(*read.ending() == Ending::Whole, ended, "cut at {cut}: {:?}", read.ending());
        assert!(ended || *read.ending() == Ending::BrokenOff, "cut at {cut}: {:?}", read.ending());
        assert!(got.len() >= most, "cut at {cut}: fewer than before");
        most = got.len();
    }
    assert_eq!(most, events.len(), "the end of the stream itself is not needed");
}

#[test]
fn what_was_said_before_a_host_ended_is_on_the_disk_while_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (head, events) = run::check("20270101T000000Z-00001", 3, 2);
    let mut recorder = Recorder::begin(folder.path(), &head).unwrap();
    let own = recorder.folder().clone();
    for event in &events[..events.len() - 1] {
        recorder.take(event).unwrap();
        if matches!(event.what, rectify_core::event::RunEvent::HostFinished { .. }) {
            let mut read = own.events().unwrap();
            assert_eq!(read.by_ref().count() as u64, event.seq + 1);
            assert_eq!(*read.ending(), Ending::BrokenOff);
        }
    }
    assert!(own.is_running());
    // The program is killed: nothing is finished, and nobody holds the file.
    std::mem::forget(own.events());
    drop(recorder);
    assert!(!own.is_running());
}

#[test]
fn a_damaged_file_gives_what_stands_before_the_damage_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (own, events) = written(folder.path(), "20270101T000000Z-00001", 4, 20);
    let file = own.path().join("events.jsonl.gz");
    let whole = std::fs::read(&file).unwrap();
    for at in (20..whole.len()).step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&file, bytes).unwrap();
        let mut read = own.events().unwrap();
        let got = read.by_ref().count();
        assert!(got <= events.len() && *read.ending() != Ending::Open, "{at}");
    }
    std::fs::write(&file, "no gzip at all").unwrap();
    let mut read = own.events().unwrap();
    assert!(read.next().is_none() && matches!(read.ending(), Ending::Damaged(_)), "{read:?}");
}

#[test]
fn a_run_is_recorded_once_and_under_a_sound_name_only() {
    let folder = tempfile::tempdir().unwrap();
    let (mut head, _) = run::check("20270101T000000Z-00001", 1, 1);
    drop(Recorder::begin(folder.path(), &head).unwrap());
    assert!(Recorder::begin(folder.path(), &head).is_err());
    for wrong in ["", "..", "../x", "a/b", "/etc", ".hidden", "-rf", "a b", "a\0b", "ä", &"x".repeat(121)] {
        head.run = wrong.into();
        assert!(!is_run_id(wrong) && Recorder::begin(folder.path(), &head).is_err(), "{wrong:?}");
        assert!(RunFolder::of(folder.path(), wrong).is_none(), "{wrong:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path().join("runs")).unwrap().count(), 1);
}

#[test]
fn what_is_no_folder_of_a_run_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    assert!(RunFolder::all(folder.path()).unwrap().is_empty());
    let (own, _) = written(folder.path(), "20270101T000000Z-00001", 1, 1);
    let runs = folder.path().join("runs");
    std::fs::write(runs.join("file"), "").unwrap();
    std::os::unix::fs::symlink("/etc", runs.join("link")).unwrap();
    std::fs::create_dir(runs.join(".hidden")).unwrap();
    assert_eq!(RunFolder::all(folder.path()).unwrap(), [own]);
}

#[test]
fn a_head_of_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (one, _) = written(folder.path(), "20270101T000000Z-00001", 1, 1);
    let (two, _) = written(folder.path(), "20270101T000000Z-00002", 1, 1);
    std::fs::copy(one.path().join("head.json"), two.path().join("head.json")).unwrap();
    let told = two.head().unwrap_err().to_string();
    assert!(told.contains("20270101T000000Z-00002/head.json"), "{told}");
}

#[test]
fn a_hundred_thousand_events_are_no_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let (own, events) = written(folder.path(), "20270101T000000Z-00001", 500, 100);
    assert!(events.len() > 100_000);
    assert_eq!(own.events().unwrap().count(), events.len());
    let settings = RecordSettings::in_folder(folder.path());
    super::testing::block_on(async {
        let store = super::Store::open(&settings).await.unwrap();
        let caught = store.catch_up().await.unwrap();
        assert_eq!((caught.taken, caught.trouble.len()), (1, 0));
    });
}

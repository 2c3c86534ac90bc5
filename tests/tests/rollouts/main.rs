//! A setting goes through all its stages in ten weeks: on six real hosts of three owners, with a real mail server and a clock that is set.

#![expect(clippy::unwrap_used, reason = "tests")]

mod begin;
mod end;
mod ramp;
mod world;

use rectify_tests::guide;

/// One story, because each step stands on those before.
#[test]
fn a_setting_goes_from_opt_in_to_mandatory_and_nobody_is_changed_who_was_not_told() {
    let mut world = world::World::new();
    begin::opt_in(&mut world);
    let letter = begin::announcement(&mut world);
    begin::what_was_announced_is_what_counts(&mut world);
    ramp::objection_and_notice(&mut world);
    ramp::a_cohort_goes_wrong(&mut world);
    end::a_skip_expires(&mut world);
    end::a_crash_between_two_mails(&mut world);
    end::forced_to_be_mandatory(&mut world);
    end::many_write_at_once(&mut world);
    let files = [world::PLAYBOOK, world::ROLLOUTS];
    guide::shows_what_happens("rollouts.md", &files, &world.happened.borrow(), &letter);
}

//! What each shipped scenario puts on the wire: its ladder, as `offhook run` draws it, reviewed by
//! eye.

use std::{fs, sync::Arc};

use offhook::{
    event::Envelope,
    id::PhoneId,
    journal::Query,
    report::{Ladder, Selection},
    scenario::{self, Known},
};

use crate::scenarios::{World, simulated};

#[tokio::test(start_paused = true)]
async fn every_shipped_scenario_has_the_reviewed_ladder() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("ladders");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    for path in simulated() {
        let text = fs::read_to_string(&path).unwrap();
        let scenario = scenario::check_yaml(&text, None, &Known::default()).scenario.unwrap();
        let phones: Vec<PhoneId> = scenario.phones.iter().map(|phone| phone.id.clone()).collect();
        // Each has a world of its own, so that a new scenario changes no other ladder.
        let world = World::new().await;
        world.run(&text).await;
        let events: Vec<Arc<Envelope>> = world.board.journal().query_blocking(&Query::default()).unwrap();
        let ladder = Ladder::draw(&events, &phones, Selection::WithoutRegistrations);
        insta::assert_snapshot!(path.file_stem().unwrap().to_str().unwrap(), ladder.text());
    }
}

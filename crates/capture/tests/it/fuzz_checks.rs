//! What must hold for any bytes; shared by the mutation tests and the fuzz target.

use offhook_capture::analyze::analyze;
use offhook_capture::read::Reader;

/// The analysis counts what the reader gives, and no more comes out than went in.
pub(crate) fn capture(bytes: &[u8]) {
    let analysis = analyze(bytes);
    assert!(analysis.total_packets <= bytes.len() as u64 / 12);
    let counted: u64 = analysis.rtp_flows.iter().map(|flow| flow.count).sum();
    assert!(counted <= analysis.total_packets);
    let streams = analysis.calls.iter().flat_map(|call| &call.streams).chain(&analysis.other_streams);
    for stream in streams {
        let codecs: u64 = stream.codecs.iter().map(|codec| codec.packets).sum();
        assert_eq!(codecs, stream.packets);
        assert!(stream.duplicates + stream.reordered + stream.stray <= stream.packets);
    }
    let Ok(mut reader) = Reader::new(bytes) else { return };
    let mut packets = 0;
    while let Ok(Some(record)) = reader.next_record() {
        assert!(record.bytes.len() <= bytes.len());
        packets += 1;
    }
    assert_eq!(packets, analysis.total_packets);
}

// Package export turns the people of package staff into what HR, finance and learning systems read (seed 001, patterns 2
// to 4): JSON, newline-delimited JSON or CSV, under the names of a [Mapping].
//
//	stream, err := exports.Open(ctx, by, export.Request{System: "finance", Format: export.CSV})
//	w.Header().Set("Content-Type", stream.ContentType())
//	n, err := stream.Send(w, nil)
//
// The mappings of the seed are built in; others are stored, and each change is a new version. A column whose field group
// the reader lacks is left out, header and all. People are read and written in batches: memory does not grow with their
// number, and no transaction stays open. Cells of CSV that a spreadsheet would take for a formula get an apostrophe in
// front.
package export

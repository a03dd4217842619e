package deliverybun

import "time"

// Spare has the store spare searches however quick they are, for as long as the test takes.
func (s *Store) Spare() {
	s.floors.worth = 0
	s.SearchWhole()
}

// SearchWhole has the next search be one of the whole queue, and then none for a long time.
func (s *Store) SearchWhole() {
	s.floors.lanes, s.floors.next = map[string]time.Time{}, time.Time{}
}

// SearchNoMore puts the next search of the whole off.
func (s *Store) SearchNoMore() { s.floors.next = time.Now().Add(time.Hour) }

package web

// piece is a part of a bar.
type piece struct {
	// Mark names its colour, Words say what it is.
	Mark, Words string
	Count       int
	// Link is the list of what it counts; empty for none.
	Link string
	// X and Width are in units of the bar.
	X, Width int
}

// lay shares the width out to the pieces that count something.
func lay(all []piece) []piece {
	var some []piece
	var counts []int
	for _, p := range all {
		if p.Count > 0 {
			some, counts = append(some, p), append(counts, p.Count)
		}
	}
	for i, s := range spans(counts) {
		some[i].X, some[i].Width = s.x, s.width
	}
	return some
}

// span is a part of the width of a bar.
type span struct{ x, width int }

// spans shares the width out in the proportion of the counts; each gets as much as can be seen.
func spans(counts []int) []span {
	total := 0
	for _, n := range counts {
		total += n
	}
	free := barWidth - (barLeast+barGap)*len(counts) + barGap
	list, x := make([]span, 0, len(counts)), 0
	for _, n := range counts {
		one := span{x, barLeast + free*n/total}
		list = append(list, one)
		x += one.width + barGap
	}
	return list
}

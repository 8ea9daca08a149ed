package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// What the bar's line holds beside the bar: description, share, bytes, rate, times.
const (
	besideBar = 60
	narrowBar = 10
	wideBar   = 40
)

// progressOf shows progress where w is a terminal: as a bar, or as a plain
// line where the terminal is narrow or does not tell its size. It asks w
// itself: standard output may be a file meanwhile.
func progressOf(w io.Writer) (progress func(read, size int64), done func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, func() {}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < besideBar+narrowBar {
		line := progressLine{w: f}
		return line.show, line.clear
	}
	var bar *progressbar.ProgressBar
	return func(read, size int64) {
			if bar == nil {
				bar = progressbar.NewOptions64(size, progressbar.OptionSetWriter(f), progressbar.OptionShowBytes(true),
					progressbar.OptionSetDescription("importing"), progressbar.OptionClearOnFinish(),
					progressbar.OptionSetWidth(min(wideBar, width-besideBar)))
			}
			_ = bar.Set64(read) // a bar that can't be drawn stops nothing
		}, func() {
			if bar != nil {
				_ = bar.Finish()
			}
		}
}

// progressLine is a line that says how far it is, written over whenever that changes.
type progressLine struct {
	w    io.Writer
	text string
}

func (l *progressLine) show(read, size int64) {
	text := fmt.Sprintf("importing: %d MiB", read>>20)
	if size > 0 {
		text = fmt.Sprintf("importing: %d %%", min(100, read*100/size))
	}
	if text != l.text {
		_, _ = io.WriteString(l.w, "\r"+text) // what is shown only grows
		l.text = text
	}
}

func (l *progressLine) clear() {
	if l.text != "" {
		_, _ = io.WriteString(l.w, "\r"+strings.Repeat(" ", len(l.text))+"\r")
	}
}

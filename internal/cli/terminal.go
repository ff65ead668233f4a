package cli

import (
	"runtime"

	"github.com/bizmatters/dragonfly-generator/internal/render"
)

// forRender returns the streams for render. A person reads stderr if it is a terminal, but not in CI, whose logs are
// searched by the line even where it has a terminal.
func (s Streams) forRender() render.Streams {
	person := s.ErrTerminal && s.env("CI") == ""
	return render.Streams{In: s.In, Out: s.Out, Err: s.Err, Env: s.Env, Terminal: person, Color: person && s.hasColor()}
}

// hasColor reports whether the terminal shows colours and nobody has asked for none (no-color.org). The console of older
// versions of Windows prints the codes.
func (s Streams) hasColor() bool {
	if s.env("NO_COLOR") != "" || s.env("TERM") == "dumb" {
		return false
	}
	return runtime.GOOS != "windows" || s.env("WT_SESSION") != ""
}

func (s Streams) env(name string) string {
	if s.Env.LookupEnv == nil {
		return ""
	}
	value, _ := s.Env.LookupEnv(name)
	return value
}

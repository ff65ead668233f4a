//go:build js && wasm

// Command wasm is the generator in a browser. It adds four functions to the page's `dragonfly`: preview, sizes,
// withSize and withProfile. They are the functions of package preview, with JSON for anything but strings and numbers.
package main

import (
	"encoding/json"
	"syscall/js"

	"github.com/bizmatters/dragonfly-generator/playground/preview"
)

func main() {
	dragonfly := js.Global().Get("Object").New()
	dragonfly.Set("preview", js.FuncOf(func(_ js.Value, args []js.Value) any {
		return encode(preview.Of(args[0].String(), args[1].String()))
	}))
	dragonfly.Set("sizes", js.FuncOf(func(_ js.Value, args []js.Value) any {
		return encode(preview.Sizes(args[0].String()))
	}))
	dragonfly.Set("withSize", js.FuncOf(func(_ js.Value, args []js.Value) any {
		return preview.WithSize(args[0].String(), args[1].Int(), args[2].String())
	}))
	dragonfly.Set("withProfile", js.FuncOf(func(_ js.Value, args []js.Value) any {
		return preview.WithProfile(args[0].String(), args[1].Int(), args[2].String())
	}))
	js.Global().Set("dragonfly", dragonfly)
	select {} // the functions must work as long as the page is open
}

func encode(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // strings and numbers can always be marshalled
	}
	return string(text)
}

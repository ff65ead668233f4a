// Command serve serves a folder of static files on localhost under its own path, as GitHub Pages would.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"
)

func main() {
	address := flag.String("address", "localhost:8080", "address to listen on")
	dir := flag.String("dir", "bin/playground", "the folder")
	flag.Parse()
	const path = "/dragonfly-generator/"
	files := http.StripPrefix(path, http.FileServer(http.Dir(*dir)))
	mux := http.NewServeMux()
	mux.Handle("/", http.RedirectHandler(path, http.StatusFound))
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache") // after a rebuild, the browser must show the new files
		files.ServeHTTP(w, r)
	})
	server := &http.Server{Addr: *address, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	fmt.Printf("http://%s%s (stop with Ctrl+C)\n", *address, path)
	if err := server.ListenAndServe(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

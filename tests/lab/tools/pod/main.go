// What the lab's own pods run: `pause` holds a pod's namespaces, `web` serves a page.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	what := "pause"
	if len(os.Args) > 1 {
		what = os.Args[1]
	}
	switch what {
	case "pause":
		pause()
	case "web":
		fmt.Fprintln(os.Stderr, web(os.Args[2]))
		os.Exit(1)
	default:
		fmt.Fprintf(os.Stderr, "this program knows pause and web ADDRESS, not %q\n", what)
		os.Exit(2)
	}
}

// pause waits for its end, and is the parent of the pod's orphans.
func pause() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for {
			if child, _ := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); child <= 0 {
				break
			}
		}
	}
}

// web answers each request with one line.
func web(address string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	http.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		fmt.Fprintf(answer, "hello from %s to %s%s\n", name, request.Host, request.URL.Path)
	})
	return http.ListenAndServe(address, nil)
}

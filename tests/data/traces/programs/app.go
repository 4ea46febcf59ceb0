package main
import ("fmt";"os";"errors";"net/http";"io";"log";"net";"time")
type T struct{ a int }
func (t *T) deep(n int) int { if n == 0 { var p *T; return p.a }; return t.deep(n-1) }
func main() {
 switch os.Args[1] {
 case "nil": fmt.Println((&T{}).deep(3))
 case "index": a := []int{1}; i := 5; fmt.Println(a[i])
 case "custom": panic(fmt.Errorf("wrapped: %w", errors.New("two\nlines")))
 case "goroutine": go func() { panic("in goroutine") }(); time.Sleep(time.Second)
 case "deadlock": ch := make(chan int); go func(){ select{} }(); <-ch
 case "repanic": defer func() { r := recover(); panic(fmt.Sprint("again: ", r)) }(); panic("first")
 case "map": m := map[int]int{}; go func() { for { m[1]++ } }(); for { m[2]++ }
 case "http": log.SetFlags(log.LstdFlags); l, _ := net.Listen("tcp", "127.0.0.1:0"); go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { panic("handler broke") })); r, e := http.Get("http://" + l.Addr().String()); if e == nil { io.Copy(io.Discard, r.Body) }; time.Sleep(100*time.Millisecond)
 }
}

import java.util.*;
public class Main {
    static class Order { void place(int n) { if (n == 0) throw new IllegalStateException("no stock for order 7"); place(n - 1); } }
    static class Res implements AutoCloseable { public void close() { throw new UnsupportedOperationException("cannot close"); } }
    public static void main(String[] a) throws Exception {
        switch (a[0]) {
        case "plain": new Order().place(3); break;
        case "cause": try { new Order().place(2); } catch (Exception e) { throw new RuntimeException("order failed", e); } break;
        case "suppressed": try (Res r = new Res()) { throw new java.io.IOException("disk\n  on fire"); }
        case "null": Map<String,String> m = null; m.get("x"); break;
        case "printed": try { List.of(1).forEach(i -> { throw new IllegalArgumentException("bad " + i); }); } catch (Exception e) { System.err.print("2026-11-24 05:00:39 ERROR [main] Main - "); e.printStackTrace(); } break;
        }
    }
}

/* The code of one part of a lab stack: many small pieces over many pages. Built with -DPART=n, each other code.
 * Pieces need nothing but their argument, so their bytes run wherever they are mapped. */
#define STEP(n, k) value = (value ^ (unsigned)((n) * 2654435761u + PART * 40503u + (k))) * 1664525u + (value >> ((k) % 13 + 3));
#define STEPS(n) STEP(n, 1) STEP(n, 2) STEP(n, 3) STEP(n, 4) STEP(n, 5) STEP(n, 6) STEP(n, 7) STEP(n, 8)
#define PIECE(n) \
    __attribute__((aligned(STRIDE))) unsigned piece##n(unsigned value) { STEPS(n) return value; }
#define TEN(d, m) m(d##0) m(d##1) m(d##2) m(d##3) m(d##4) m(d##5) m(d##6) m(d##7) m(d##8) m(d##9)
#define ALL(m) TEN(1, m) TEN(2, m) TEN(3, m) TEN(4, m) TEN(5, m) TEN(6, m) TEN(7, m) TEN(8, m) TEN(9, m)

ALL(PIECE)

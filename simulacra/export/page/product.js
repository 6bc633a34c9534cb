"use strict";
/* The product C[m, n] = sum_k A[m, k] B[n, k], to which convolutions and dense layers are brought. */

/* Four rows of A and two of B at a time; blocks of B stay in the cache while all of A passes by. */
const BLOCK = 8192;
function product(A, B, M, N, K) {
  const C = new Float32Array(M * N), rows = Math.max(2, 2 * Math.floor(BLOCK / K / 2));
  const fourRows = N > 3 && vectors.ready ? vectors.given(A, B, M, N, K) : numbers.given(A, B, K);
  for (let first = 0; first < N; first += rows) {
    const last = Math.min(N, first + rows);
    for (let m = 0; m < M; m += 4) fourRows(C, m, M, N, first, last);
  }
  return C;
}

/* Puts the sums of four rows m and two columns n into C, as far as C reaches. */
function store(C, m, M, n, N, sums) {
  for (let row = 0; row < 4 && m + row < M; row++) {
    C[(m + row) * N + n] = sums[2 * row];
    if (n + 1 < N) C[(m + row) * N + n + 1] = sums[2 * row + 1];
  }
}

/* In plain JavaScript; sums are double, which is faster than rounding each. */
const numbers = {
  given: (A, B, K) => (C, m, M, N, first, last) => {
    const sums = new Float64Array(8), row = i => Math.min(m + i, M - 1) * K, a0 = row(0), a1 = row(1), a2 = row(2), a3 = row(3);
    for (let n = first; n < last; n += 2) {
      const b0 = n * K, b1 = Math.min(n + 1, N - 1) * K;
      let s00 = 0, s01 = 0, s10 = 0, s11 = 0, s20 = 0, s21 = 0, s30 = 0, s31 = 0;
      for (let k = 0; k < K; k++) {
        const x = B[b0 + k], y = B[b1 + k];
        let w = A[a0 + k];
        s00 += w * x; s01 += w * y;
        w = A[a1 + k];
        s10 += w * x; s11 += w * y;
        w = A[a2 + k];
        s20 += w * x; s21 += w * y;
        w = A[a3 + k];
        s30 += w * x; s31 += w * y;
      }
      sums[0] = s00; sums[1] = s01; sums[2] = s10; sums[3] = s11; sums[4] = s20; sums[5] = s21; sums[6] = s30; sums[7] = s31;
      store(C, m, M, n, N, sums);
    }
  },
};

/* The same in WebAssembly, four numbers of a row at a time. The module is written here, instruction by instruction:
   sums(a0, a1, a2, a3, b0, b1, end) adds up the products of rows that begin at these bytes, the first one ending at
   `end`, and leaves the eight sums at the beginning of its memory. */
const vectors = {
  ready: false,

  module() {
    const leb = n => n < 128 ? [n] : [n & 127 | 128, ...leb(n >> 7)], get = i => [0x20, i], set = i => [0x21, i];
    const load = i => [...get(i), 0xfd, 0x00, 4, 0], times = [0xfd, ...leb(0xe6)], plus = [0xfd, ...leb(0xe4)];
    const lane = (i, l) => [...get(i), 0xfd, 0x1f, l], add = [0x92], constant = n => [0x41, ...leb(n)];
    const A = [0, 1, 2, 3], B = [4, 5], END = 6, SUM = 7, W = 15, X = 16, sum = (row, column) => SUM + 2 * row + column;
    const gathered = (row, column) => [...set(sum(row, column))];
    const code = [
      0x03, 0x40,                                                                    // loop
      ...B.flatMap((b, i) => [...load(b), ...set(X + i)]),
      ...A.flatMap((a, row) => [...load(a), ...set(W), ...B.flatMap((_, column) =>
        [...get(sum(row, column)), ...get(W), ...get(X + column), ...times, ...plus, ...gathered(row, column)])]),
      ...[...A, ...B].flatMap(i => [...get(i), ...constant(16), 0x6a, ...set(i)]),   // 16 bytes on
      ...get(A[0]), ...get(END), 0x49, 0x0d, 0,                                      // again while a0 < end
      0x0b,
      ...A.flatMap(row => B.flatMap((_, column) => {
        const i = sum(row, column);
        return [...constant(0), ...lane(i, 0), ...lane(i, 1), ...add, ...lane(i, 2), ...add, ...lane(i, 3), ...add, 0x38, 2, 4 * (i - SUM)];
      })),
      0x0b,
    ];
    const section = (id, bytes) => [id, ...leb(bytes.length), ...bytes], text = word => [word.length, ...[...word].map(c => c.charCodeAt(0))];
    const body = [1, 11, 0x7b, ...code];                                             // eleven locals of four floats
    return new Uint8Array([
      0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
      ...section(1, [1, 0x60, 7, ...Array(7).fill(0x7f), 0]),
      ...section(2, [1, ...text("page"), ...text("memory"), 2, 0, 1]),
      ...section(3, [1, 0]),
      ...section(7, [1, ...text("sums"), 0, 0]),
      ...section(10, [1, ...leb(body.length), ...body]),
    ]);
  },

  start() {
    const bytes = this.module();
    if (typeof WebAssembly === "undefined" || !WebAssembly.validate(bytes)) return;  // the plain loops do the work
    this.memory = new WebAssembly.Memory({ initial: 1 });
    this.sums = new WebAssembly.Instance(new WebAssembly.Module(bytes), { page: { memory: this.memory } }).exports.sums;
    this.ready = true;
  },

  given(A, B, M, N, K) {
    const whole = K + 3 & ~3, beginA = 8, beginB = beginA + M * whole, more = 4 * (beginB + N * whole) - this.memory.buffer.byteLength;
    if (more > 0) this.memory.grow(Math.ceil(more / 65536));
    const floats = new Float32Array(this.memory.buffer), sums = floats.subarray(0, 8), add = this.sums;
    placed(floats, beginA, A, M, K, whole);
    placed(floats, beginB, B, N, K, whole);
    return (C, m, M, N, first, last) => {
      const row = i => 4 * (beginA + Math.min(m + i, M - 1) * whole), a0 = row(0), a1 = row(1), a2 = row(2), a3 = row(3), end = a0 + 4 * whole;
      for (let n = first; n < last; n += 2) {
        add(a0, a1, a2, a3, 4 * (beginB + n * whole), 4 * (beginB + Math.min(n + 1, N - 1) * whole), end);
        store(C, m, M, n, N, sums);
      }
    };
  },
};

/* Rows of K numbers, each filled up with zeros. */
function placed(floats, begin, rows, count, K, whole) {
  if (whole === K) { floats.set(rows, begin); return; }
  for (let r = 0; r < count; r++) {
    floats.set(rows.subarray(r * K, (r + 1) * K), begin + r * whole);
    floats.fill(0, begin + r * whole + K, begin + (r + 1) * whole);
  }
}

vectors.start();

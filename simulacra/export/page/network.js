"use strict";
/* Runs a network on one image at a time. A value is {data: Float32Array, shape: [C, H, W] or [D]}. */

function transposed(data, rows, columns) {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c];
  return out;
}

function addBias(data, bias, per) {
  if (!bias) return;
  for (let c = 0, at = 0; c < bias.data.length; c++) for (const end = at + per; at < end; at++) data[at] += bias.data[c];
}

const sizeOf = shape => shape.reduce((a, b) => a * b, 1);
const value = (data, shape) => ({ data, shape });
const each = f => ([x], s) => { const out = new Float32Array(x.data.length); for (let i = 0; i < out.length; i++) out[i] = f(x.data[i], s); return value(out, x.shape); };

/* Two values, one of which may be a single number, or differ in sides of 1. */
const pairwise = f => ([x, y]) => {
  const shape = x.shape.length >= y.shape.length ? x.shape : y.shape, out = new Float32Array(sizeOf(shape));
  if (x.data.length === y.data.length) { for (let i = 0; i < out.length; i++) out[i] = f(x.data[i], y.data[i]); return value(out, shape); }
  if (y.data.length === 1) { for (let i = 0; i < out.length; i++) out[i] = f(x.data[i], y.data[0]); return value(out, shape); }
  if (x.data.length === 1) { for (let i = 0; i < out.length; i++) out[i] = f(x.data[0], y.data[i]); return value(out, shape); }
  const place = (v, at) => {
    let index = 0, stride = 1;
    for (let axis = shape.length - 1, own = v.shape.length - 1; own >= 0; axis--, own--) {
      if (v.shape[own] > 1) index += at[axis] * stride;
      stride *= v.shape[own];
    }
    return index;
  };
  const at = shape.map(() => 0);
  for (let i = 0; i < out.length; i++) {
    out[i] = f(x.data[place(x, at)], y.data[place(y, at)]);
    for (let axis = shape.length - 1; axis >= 0 && ++at[axis] === shape[axis]; axis--) at[axis] = 0;
  }
  return value(out, shape);
};

/* The first of the places 0 to `count` for which place * stride + offset lies in 0 to `size`, and the end of them. */
const inside = (count, stride, offset, size) => [Math.max(0, Math.ceil(-offset / stride)), Math.min(count, Math.floor((size - 1 - offset) / stride) + 1)];

function conv([x, w, b], { state, stride: [sy, sx], padding: [py, px], dilation: [dy, dx], groups }) {
  const [C, H, W] = x.shape, [M, Cg, kh, kw] = w.shape;
  const oh = Math.floor((H + 2 * py - dy * (kh - 1) - 1) / sy) + 1, ow = Math.floor((W + 2 * px - dx * (kw - 1) - 1) / sx) + 1;
  const K = Cg * kh * kw, N = oh * ow, Mg = M / groups, out = new Float32Array(M * N);
  if (!state.patch || state.patch.length !== N * K) state.patch = new Float32Array(N * K);
  const patch = state.patch;
  for (let g = 0; g < groups; g++) {
    if (groups > 1) patch.fill(0);  // else what lies beyond the border was never written
    for (let y = 0; y < oh; y++) for (let c = 0; c < Cg; c++) for (let i = 0; i < kh; i++) {  // a row of patches stays in the cache
      const row = y * sy - py + i * dy, source = ((g * Cg + c) * H + row) * W;
      if (row < 0 || row >= H) continue;
      for (let j = 0; j < kw; j++) {
        const offset = j * dx - px, [first, end] = inside(ow, sx, offset, W);
        let at = (y * ow + first) * K + (c * kh + i) * kw + j, from = source + first * sx + offset;
        for (let z = first; z < end; z++, at += K, from += sx) patch[at] = x.data[from];
      }
    }
    out.set(product(w.data.subarray(g * Mg * K, (g + 1) * Mg * K), patch, Mg, N, K), g * Mg * N);
  }
  addBias(out, b, N);
  return value(out, [M, oh, ow]);
}

function convTranspose([x, w, b], { state, stride: [sy, sx], padding: [py, px], output_padding: [oy, ox] }) {
  const [C, H, W] = x.shape, [, M, kh, kw] = w.shape;
  const oh = (H - 1) * sy - 2 * py + kh + oy, ow = (W - 1) * sx - 2 * px + kw + ox;
  state.turned ||= transposed(w.data, C, M * kh * kw);
  const columns = product(state.turned, transposed(x.data, C, H * W), M * kh * kw, H * W, C), out = new Float32Array(M * oh * ow);
  for (let m = 0; m < M; m++) for (let i = 0; i < kh; i++) for (let j = 0; j < kw; j++) {
    const from = ((m * kh + i) * kw + j) * H * W;
    for (let y = 0; y < H; y++) {
      const row = y * sy - py + i;
      if (row < 0 || row >= oh) continue;
      const [first, end] = inside(W, sx, j - px, ow);
      let at = (m * oh + row) * ow + first * sx + j - px;
      for (let z = first; z < end; z++, at += sx) out[at] += columns[from + y * W + z];
    }
  }
  addBias(out, b, oh * ow);
  return value(out, [M, oh, ow]);
}

function linear([x, w, b]) {
  const [M, K] = w.shape, out = product(w.data, x.data, M, 1, K);
  addBias(out, b, 1);
  return value(out, [M]);
}

function affine([x, scale, shift]) {
  const per = x.data.length / x.shape[0], out = new Float32Array(x.data.length);
  for (let i = 0; i < out.length; i++) { const c = Math.floor(i / per); out[i] = x.data[i] * scale.data[c] + shift.data[c]; }
  return value(out, x.shape);
}

function groupNorm([x, scale, shift], { groups, eps }) {
  const out = new Float32Array(x.data.length), per = out.length / groups, pixels = out.length / x.shape[0];
  for (let g = 0; g < groups; g++) {
    let mean = 0, square = 0;
    for (let i = g * per; i < (g + 1) * per; i++) mean += x.data[i];
    mean /= per;
    for (let i = g * per; i < (g + 1) * per; i++) square += (x.data[i] - mean) ** 2;
    const by = 1 / Math.sqrt(square / per + eps);
    for (let i = g * per; i < (g + 1) * per; i++) out[i] = (x.data[i] - mean) * by;
  }
  if (scale) for (let i = 0; i < out.length; i++) { const c = Math.floor(i / pixels); out[i] = out[i] * scale.data[c] + shift.data[c]; }
  return value(out, x.shape);
}

function permute([x], { order }) {
  const axes = order.slice(1).map(axis => axis - 1), shape = axes.map(axis => x.shape[axis]);
  const strides = x.shape.map((_, axis) => sizeOf(x.shape.slice(axis + 1))), out = new Float32Array(x.data.length), at = shape.map(() => 0);
  for (let i = 0; i < out.length; i++) {
    let from = 0;
    for (let axis = 0; axis < at.length; axis++) from += at[axis] * strides[axes[axis]];
    out[i] = x.data[from];
    for (let axis = shape.length - 1; axis >= 0 && ++at[axis] === shape[axis]; axis--) at[axis] = 0;
  }
  return value(out, shape);
}

function slice([x], { axis, start, end }) {
  const a = axis - 1, inner = sizeOf(x.shape.slice(a + 1)), outer = sizeOf(x.shape.slice(0, a)), n = end - start;
  const out = new Float32Array(outer * n * inner);
  for (let o = 0; o < outer; o++) out.set(x.data.subarray((o * x.shape[a] + start) * inner, (o * x.shape[a] + end) * inner), o * n * inner);
  return value(out, x.shape.map((side, i) => i === a ? n : side));
}

function cat(parts, { axis }) {
  const a = axis - 1, sides = parts.map(x => x.shape[a]), total = sides.reduce((s, n) => s + n, 0);
  const inner = sizeOf(parts[0].shape.slice(a + 1)), outer = sizeOf(parts[0].shape.slice(0, a)), out = new Float32Array(outer * total * inner);
  let place = 0;
  parts.forEach((x, p) => {
    for (let o = 0; o < outer; o++) out.set(x.data.subarray(o * sides[p] * inner, (o + 1) * sides[p] * inner), (o * total + place) * inner);
    place += sides[p];
  });
  return value(out, parts[0].shape.map((side, i) => i === a ? total : side));
}

/* A new image whose pixel (c, y, x) is f(plane c, y, x). */
function drawn(x, height, width, f) {
  const [C, H, W] = x.shape, out = new Float32Array(C * height * width);
  for (let c = 0, at = 0; c < C; c++) {
    const plane = x.data.subarray(c * H * W, (c + 1) * H * W);
    for (let y = 0; y < height; y++) for (let z = 0; z < width; z++) out[at++] = f(plane, y, z);
  }
  return value(out, [C, height, width]);
}

const mirror = (i, n) => i < 0 ? -i : i >= n ? 2 * n - 2 - i : i;

function padReflect([x], { margins: [left, right, top, bottom] }) {
  const [, H, W] = x.shape;
  return drawn(x, H + top + bottom, W + left + right, (plane, y, z) => plane[mirror(y - top, H) * W + mirror(z - left, W)]);
}

function avgPool([x], { kernel: [kh, kw], stride: [sy, sx], ceil }) {
  const [, H, W] = x.shape, whole = ceil ? Math.ceil : Math.floor;
  return drawn(x, whole((H - kh) / sy) + 1, whole((W - kw) / sx) + 1, (plane, y, z) => {
    let sum = 0, count = 0;
    for (let i = y * sy; i < Math.min(H, y * sy + kh); i++) for (let j = z * sx; j < Math.min(W, z * sx + kw); j++) { sum += plane[i * W + j]; count++; }
    return sum / count;
  });
}

/* Bilinear, places beyond the border held at it. */
function between(plane, H, W, y, z) {
  const clip = (v, n) => Math.min(n - 1, Math.max(0, v));
  y = clip(y, H); z = clip(z, W);
  const y0 = Math.floor(y), z0 = Math.floor(z), y1 = clip(y0 + 1, H), z1 = clip(z0 + 1, W), v = y - y0, u = z - z0;
  return (1 - v) * ((1 - u) * plane[y0 * W + z0] + u * plane[y0 * W + z1]) + v * ((1 - u) * plane[y1 * W + z0] + u * plane[y1 * W + z1]);
}

function resize([x], { size: [h, w], mode }) {
  const [, H, W] = x.shape;
  if (mode === "nearest") return drawn(x, h, w, (plane, y, z) => plane[Math.floor(y * H / h) * W + Math.floor(z * W / w)]);
  return drawn(x, h, w, (plane, y, z) => between(plane, H, W, (y + 0.5) * H / h - 0.5, (z + 0.5) * W / w - 0.5));
}

/* Things `factor` times as large about the middle; beyond the border lies the ground, the mean of the corners. */
function zoom([x], { factor }) {
  const [, H, W] = x.shape;
  return drawn(x, H, W, (plane, y, z) => {
    const ground = (plane[0] + plane[W - 1] + plane[(H - 1) * W] + plane[H * W - 1]) / 4;
    const v = ((2 * y + 1) / H - 1) / factor, u = ((2 * z + 1) / W - 1) / factor;
    const row = ((v + 1) * H - 1) / 2, column = ((u + 1) * W - 1) / 2, y0 = Math.floor(row), z0 = Math.floor(column);
    let sum = 0;
    for (const i of [y0, y0 + 1]) for (const j of [z0, z0 + 1]) {
      if (i >= 0 && i < H && j >= 0 && j < W) sum += (1 - Math.abs(row - i)) * (1 - Math.abs(column - j)) * (plane[i * W + j] - ground);
    }
    return ground + sum;
  });
}

function pixelShuffle([x], { factor: r }) {
  const [C, H, W] = x.shape, out = new Float32Array(x.data.length), M = C / r / r;
  for (let m = 0, at = 0; m < M; m++) for (let y = 0; y < H * r; y++) for (let z = 0; z < W * r; z++)
    out[at++] = x.data[((m * r + y % r) * r + z % r) * H * W + Math.floor(y / r) * W + Math.floor(z / r)];
  return value(out, [M, H * r, W * r]);
}

function pixelUnshuffle([x], { factor: r }) {
  const [C, H, W] = x.shape, out = new Float32Array(x.data.length), h = H / r, w = W / r;
  for (let c = 0, at = 0; c < C; c++) for (let i = 0; i < r; i++) for (let j = 0; j < r; j++) for (let y = 0; y < h; y++) for (let z = 0; z < w; z++)
    out[at++] = x.data[(c * H + y * r + i) * W + z * r + j];
  return value(out, [C * r * r, h, w]);
}

const OPERATIONS = {
  linear, conv, conv_transpose: convTranspose, affine, group_norm: groupNorm, permute, slice, cat, pad_reflect: padReflect,
  avg_pool: avgPool, resize, zoom, pixel_shuffle: pixelShuffle, pixel_unshuffle: pixelUnshuffle,
  add: pairwise((a, b) => a + b), sub: pairwise((a, b) => a - b), mul: pairwise((a, b) => a * b), div: pairwise((a, b) => a / b),
  relu: each(v => v > 0 ? v : 0), leaky_relu: each((v, s) => v > 0 ? v : v * s.slope), silu: each(v => v / (1 + Math.exp(-v))),
  tanh: each(Math.tanh), sigmoid: each(v => 1 / (1 + Math.exp(-v))), exp: each(Math.exp), neg: each(v => -v), square: each(v => v * v),
  atanh: each(Math.atanh), abs: each(Math.abs), sin: each(Math.sin), cos: each(Math.cos), sqrt: each(Math.sqrt), log: each(Math.log),
  softplus: each(v => v > 20 ? v : Math.log1p(Math.exp(v))),
  clamp: each((v, s) => Math.min(s.high ?? Infinity, Math.max(s.low ?? -Infinity, v))),
  reshape: ([x], { shape }) => value(x.data, shape), same: ([x]) => x, cast: ([x]) => x, repeat: ([x]) => value(x.data, x.shape.slice(1)),
};

/* A network from its description: `run(data, shape)` returns the image that it makes. */
class Network {
  constructor({ input, output, ops, weights }, floats) {
    this.input = input;
    this.output = output;
    this.weights = new Map(Object.entries(weights).map(([name, { at, shape }]) => [name, value(floats.subarray(at, at + sizeOf(shape)), shape)]));
    this.ops = ops.map(([kind, inputs, result, settings]) => ({ run: OPERATIONS[kind], inputs, result, settings: { ...settings, state: {} } }));
  }

  run(data, shape) {
    const values = new Map([[this.input, value(data, shape)]]);
    for (const { run, inputs, result, settings } of this.ops) {
      values.set(result, run(inputs.map(name => values.get(name) ?? this.weights.get(name)), settings));
    }
    return values.get(this.output);
  }
}

/* Float16 numbers, or float32 ones, that were written as base64. */
function decoded(text, half) {
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  if (!half) return new Float32Array(bytes.buffer);
  const words = new Uint16Array(bytes.buffer), out = new Float32Array(words.length);
  for (let i = 0; i < words.length; i++) {
    const h = words[i], sign = h & 0x8000 ? -1 : 1, exponent = (h >> 10) & 31, fraction = h & 1023;
    out[i] = sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
  }
  return out;
}

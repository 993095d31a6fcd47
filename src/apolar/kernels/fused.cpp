// A chain of layers and compositions for blocks of rows that stay in the cache, forward and backward.
//
// Components of a block lie one behind the other: (components, rows, columns). At the start of a chain the tangents may come
// apart from the value, the same for every row; they go through the layers once, before the rows.

#include <algorithm>
#include <cstring>
#include <vector>

using T = APOLAR_REAL;
using Product = void (*)(const char*, const char*, const int*, const int*, const int*, const T*, const T*, const int*,
                         const T*, const int*, const T*, T*, const int*);
using Stacked = void (*)(const T*, T*, long, long, long);
using Uniform = void (*)(const T*, const T*, T*, long, long, long);
using StackedBack = void (*)(const T*, const T*, T*, long, long, long);
using UniformBack = void (*)(const T*, const T*, const T*, T*, T*, long, long, long);
using StackedJoint = void (*)(const T*, const T*, T*, T*, long, long, long);
using UniformJoint = void (*)(const T*, const T*, const T*, T*, T*, T*, long, long, long);

struct Link {
  long weight, bias;           // which of the tensors, or -1; a composition has no weight
  void *forward, *backward, *joint;  // of a composition: its value, its adjoint, both
  long from, to;               // columns
  long components, results;    // how many there are for every row
  long tangents;               // how many come apart
};

struct Chain {
  const Link* links;
  long count;
  const T* const* tensors;     // the operands of the first link, and the weights and biases
  T* const* kept;              // the results of all links but the last; null where they are computed again
  T* scratch;
  long space;                  // numbers that the components of a block take at the widest place
  long rows, blocks, threads;
  Product gemm;

  const T* weight(long l) const { return tensors[links[l].weight]; }
  long first(long block) const { return rows * block / blocks; }
};

// C = A·B + beta·C for matrices whose rows lie one behind the other; A or B transposed where asked for.
static void product(Product gemm, bool ta, bool tb, long m, long n, long k, const T* a, const T* b, T beta, T* c) {
  const int M = m, N = n, K = k, lda = ta ? m : k, ldb = tb ? k : n, ldc = n;
  const T one = 1;
  gemm(tb ? "T" : "N", ta ? "T" : "N", &N, &M, &K, &one, b, &ldb, a, &lda, &beta, c, &ldc);
}

// Rows of stacked components from one place to another, in both of which components are so far apart.
static void copy(const T* source, long apart, T* target, long there, long components, long entries) {
  for (long k = 0; k < components; ++k) std::memcpy(target + k * there, source + k * apart, entries * sizeof(T));
}

static void compose(const Link& link, const T* input, const T* tangent, T* output, long n) {
  if (link.tangents) reinterpret_cast<Uniform>(link.forward)(input, tangent, output, n, link.from, 1);
  else reinterpret_cast<Stacked>(link.forward)(input, output, n, link.from, 1);
}

// The cotangent w of φ(g) pulled back to g, and summed up for the tangents; φ(g) as well where y is given.
static void pull_back(const Link& link, const T* g, const T* tangent, const T* w, T* y, T* g_bar, T* tangent_bar, T* sum,
                      long n) {
  if (!link.tangents) {
    if (y) reinterpret_cast<StackedJoint>(link.joint)(g, w, y, g_bar, n, link.from, 1);
    else reinterpret_cast<StackedBack>(link.backward)(g, w, g_bar, n, link.from, 1);
    return;
  }
  if (y) reinterpret_cast<UniformJoint>(link.joint)(g, tangent, w, y, g_bar, tangent_bar, n, link.from, 1);
  else reinterpret_cast<UniformBack>(link.backward)(g, tangent, w, g_bar, tangent_bar, n, link.from, 1);
  for (long j = 0; j < link.tangents * link.from; ++j) sum[j] += tangent_bar[j];
}

// The tangents at every link that takes them, and the memory of those behind layers.
struct Tangents {
  std::vector<const T*> at;
  std::vector<std::vector<T>> moved;
  long end = 0;                // the composition that joins them with the value

  explicit Tangents(const Chain& c) : at(c.count) {
    if (!c.links[0].tangents) return;
    at[0] = c.tensors[1];
    for (; c.links[end].weight >= 0; ++end) {
      const Link& link = c.links[end];
      moved.emplace_back(link.tangents * link.to);
      product(c.gemm, false, true, link.tangents, link.to, link.from, at[end], c.weight(end), 0, moved.back().data());
      at[end + 1] = moved.back().data();
    }
  }
};

extern "C" void forward(const Chain* chain, T* result) {
  const Chain& c = *chain;
  const Tangents tangents(c);
  #pragma omp parallel for num_threads(c.threads) schedule(static)
  for (long thread = 0; thread < c.threads; ++thread) {
    T *here = c.scratch + 2 * thread * c.space, *other = here + c.space;
    for (long block = c.blocks * thread / c.threads; block < c.blocks * (thread + 1) / c.threads; ++block) {
      const long first = c.first(block), n = c.first(block + 1) - first;
      const Link& start = c.links[0];
      const T* input = c.tensors[0] + first * start.from;
      if (start.components > 1) {
        copy(input, c.rows * start.from, here, n * start.from, start.components, n * start.from);
        input = here;
        std::swap(here, other);
      }
      for (long l = 0; l < c.count; ++l) {
        const Link& link = c.links[l];
        const bool last = l == c.count - 1, direct = last && link.results == 1;
        T* output = direct ? result + first * link.to
                  : c.kept && !last && c.kept[l] ? c.kept[l] + first * link.results * link.to : here;
        if (link.weight < 0) {
          compose(link, input, tangents.at[l], output, n);
        } else {
          product(c.gemm, false, true, link.components * n, link.to, link.from, input, c.weight(l), 0, output);
          const T* bias = link.bias < 0 ? nullptr : c.tensors[link.bias];
          for (long r = 0; bias && r < n; ++r)
            for (long j = 0; j < link.to; ++j) output[r * link.to + j] += bias[j];
        }
        if (last && !direct) copy(output, n * link.to, result + first * link.to, c.rows * link.to, link.results, n * link.to);
        if (output == here) std::swap(here, other);
        input = output;
      }
    }
  }
}

// Where cotangents go. That of the first tensor is written row by row; all others, and that of the tangents where they join
// the value, are summed by each thread, and then over the threads.
struct Cotangents {
  T* const* found;             // one for each tensor, null where nobody needs it
  const long *places, *sizes;  // of each tensor in a sum, or -1; how many numbers it has
  long tensors, operands;
  T* sums;                     // one behind the other for every thread
  long joined, apart;          // the place of the tangents, and the size of a sum
};

extern "C" void backward(const Chain* chain, const T* cotangent, const Cotangents* results) {
  const Cotangents& to = *results;
  const Chain& c = *chain;
  const Tangents tangents(c);
  T* x_bar = to.found[0];
  #pragma omp parallel for num_threads(c.threads) schedule(static)
  for (long thread = 0; thread < c.threads; ++thread) {
    T* sum = to.sums + thread * to.apart;
    std::memset(sum, 0, to.apart * sizeof(T));
    T *here = c.scratch + 5 * thread * c.space, *other = here + c.space, *third = other + c.space;
    T *inputs = third + c.space, *values = inputs + c.space;
    for (long block = c.blocks * thread / c.threads; block < c.blocks * (thread + 1) / c.threads; ++block) {
      const long first = c.first(block), n = c.first(block + 1) - first;
      const Link& end = c.links[c.count - 1];
      const T* w = cotangent + first * end.to;
      if (end.results > 1) {
        copy(w, c.rows * end.to, other, n * end.to, end.results, n * end.to);
        w = other;
      }
      const auto input = [&](long l) -> const T* {  // of a link: kept, or the operand of the chain
        const Link& link = c.links[l];
        if (l) return c.kept[l - 1] + first * link.components * link.from;
        const T* x = c.tensors[0] + first * link.from;
        if (link.components == 1) return x;
        copy(x, c.rows * link.from, inputs, n * link.from, link.components, n * link.from);
        return inputs;
      };
      const auto target = [&](long l, T* buffer) {  // for the cotangent of that input
        return !l && c.links[0].components == 1 && x_bar ? x_bar + first * c.links[0].from : buffer;
      };
      for (long l = c.count - 1; l >= 0; --l) {  // w is in `other`, or not in a buffer
        const Link& link = c.links[l];
        T* output = target(l, here);
        if (link.weight >= 0) {
          const bool weighs = to.places[link.weight] >= 0, again = weighs && l && !c.kept[l - 1];
          if (l || x_bar) product(c.gemm, false, false, link.components * n, link.from, link.to, w, c.weight(l), 0, output);
          const T* x = again ? values : weighs ? input(l) : nullptr;
          if (again) {  // what the composition before has given, together with its adjoint
            const Link& before = c.links[--l];
            T* v = output;
            output = target(l, third);
            pull_back(before, input(l), tangents.at[l], v, values, output, inputs, sum + to.joined, n);
          }
          if (weighs)
            product(c.gemm, true, false, link.to, link.from, link.components * n, w, x, 1, sum + to.places[link.weight]);
          if (link.bias >= 0 && to.places[link.bias] >= 0)
            for (long r = 0; r < n; ++r)
              for (long j = 0; j < link.to; ++j) sum[to.places[link.bias] + j] += w[r * link.to + j];
          if (again) std::swap(here, third);
        } else {
          pull_back(link, input(l), tangents.at[l], w, nullptr, output, inputs, sum + to.joined, n);
        }
        w = output;
        std::swap(here, other);
      }
      if (x_bar && c.links[0].components > 1)
        copy(w, n * c.links[0].from, x_bar + first * c.links[0].from, c.rows * c.links[0].from, c.links[0].components,
             n * c.links[0].from);
    }
  }
  #pragma omp parallel for num_threads(c.threads) if(to.apart > 65536)
  for (long j = 0; j < to.apart; ++j)
    for (long thread = 1; thread < c.threads; ++thread) to.sums[j] += to.sums[thread * to.apart + j];
  const T* w = to.sums + to.joined;  // of the tangents, back through the layers
  std::vector<std::vector<T>> moved;
  for (long l = tangents.end - 1; l >= 0; --l) {
    const Link& link = c.links[l];
    if (to.places[link.weight] >= 0)
      product(c.gemm, true, false, link.to, link.from, link.tangents, w, tangents.at[l], 1, to.sums + to.places[link.weight]);
    moved.emplace_back(link.tangents * link.from);
    product(c.gemm, false, false, link.tangents, link.from, link.to, w, c.weight(l), 0, moved.back().data());
    w = moved.back().data();
  }
  for (long k = 1; k < to.tensors; ++k)
    if (to.found[k]) std::memcpy(to.found[k], k < to.operands ? w : to.sums + to.places[k], to.sizes[k] * sizeof(T));
}

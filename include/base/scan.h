/* Sixteen or 64 bytes at a time: which of them are what, as a bit each (bit 0 is the first byte). Internal to
 * decoders and text.
 *
 * There are two forms of it: vectors, for SSE2, which every x86-64 has, and NEON, which every 64-bit Arm has;
 * elsewhere (or with SCAN_PORTABLE) two 64-bit words. A form is scan16, scan_flags, and the functions from
 * scan_load to scan_gather64. What its users call stands behind them, once. */
#ifndef SIDETAIL_BASE_SCAN_H
#define SIDETAIL_BASE_SCAN_H

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(SCAN_PORTABLE)
#include <emmintrin.h>
#define SCAN_VECTORS
#elif defined(__aarch64__) && defined(__ARM_NEON) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ &&            \
    !defined(SCAN_PORTABLE)
#include <arm_neon.h>
#define SCAN_VECTORS
#endif

#ifdef SCAN_VECTORS

typedef uint8_t scan16 __attribute__((vector_size(16)));
typedef int8_t scan_signed __attribute__((vector_size(16)));
typedef scan16 scan_flags; /* 0xff: it is so, 0: it is not */

static inline scan16 scan_load(const char *p)
{
    scan16 v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline void scan_store(char *p, scan16 v)
{
    memcpy(p, &v, sizeof(v));
}

static inline scan16 scan_each(char c)
{
    return (scan16){0} + (uint8_t)c;
}

static inline scan_flags scan_is_same(scan16 v, scan16 pattern)
{
    return (scan_flags)(v == pattern);
}

static inline scan_flags scan_is_high(scan16 v)
{
    return (scan_flags)((scan_signed)v < 0);
}

/* As signed bytes both are less than a space. */
static inline scan_flags scan_is_control_or_high(scan16 v)
{
    return (scan_flags)((scan_signed)v < ' ');
}

static inline scan_flags scan_is_digit(scan16 v)
{
    return (scan_flags)(v - '0' <= 9);
}

#ifdef __SSE2__

static inline uint32_t scan_gather(scan_flags f)
{
    return (uint32_t)_mm_movemask_epi8((__m128i)f);
}

static inline uint64_t scan_gather64(scan_flags a, scan_flags b, scan_flags c, scan_flags d)
{
    return (uint64_t)scan_gather(a) | (uint64_t)scan_gather(b) << 16 | (uint64_t)scan_gather(c) << 32 |
           (uint64_t)scan_gather(d) << 48;
}

#else

/* NEON has no movemask. A flag keeps the bit that is its byte's among eight, and bytes added in pairs three
 * times over make eight flags one byte. */
static const scan16 scan_weights = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};

static inline uint64_t scan_gather64(scan_flags a, scan_flags b, scan_flags c, scan_flags d)
{
    scan16 front = vpaddq_u8(a & scan_weights, b & scan_weights);
    scan16 back = vpaddq_u8(c & scan_weights, d & scan_weights);
    scan16 sum = vpaddq_u8(front, back);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sum, sum)), 0);
}

static inline uint32_t scan_gather(scan_flags f)
{
    return (uint16_t)scan_gather64(f, f, f, f);
}

#endif
#else

typedef struct {
    uint64_t word[2]; /* the byte at the lowest address is the lowest */
} scan16;

typedef scan16 scan_flags; /* top bit of a byte set: it is so */

#define SCAN_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline uint64_t scan_order(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(word);
#else
    return word;
#endif
}

static inline scan16 scan_load(const char *p)
{
    scan16 v;
    memcpy(&v, p, sizeof(v));
    v.word[0] = scan_order(v.word[0]);
    v.word[1] = scan_order(v.word[1]);
    return v;
}

static inline void scan_store(char *p, scan16 v)
{
    v.word[0] = scan_order(v.word[0]);
    v.word[1] = scan_order(v.word[1]);
    memcpy(p, &v, sizeof(v));
}

static inline scan16 scan_each(char c)
{
    uint64_t each = SCAN_EACH((uint8_t)c);
    return (scan16){{each, each}};
}

/* Top bit set in each byte that is zero; exact, for no carry leaves a byte. */
static inline uint64_t scan_zeros(uint64_t word)
{
    return ~(((word & SCAN_EACH(0x7f)) + SCAN_EACH(0x7f)) | word);
}

/* Top bit set in each byte whose lower seven bits are at least `least`. */
static inline uint64_t scan_at_least(uint64_t word, uint8_t least)
{
    return (word & SCAN_EACH(0x7f)) + SCAN_EACH(0x80u - least);
}

static inline scan_flags scan_is_same(scan16 v, scan16 pattern)
{
    return (scan_flags){{scan_zeros(v.word[0] ^ pattern.word[0]), scan_zeros(v.word[1] ^ pattern.word[1])}};
}

static inline scan_flags scan_is_high(scan16 v)
{
    return v;
}

static inline scan_flags scan_is_control_or_high(scan16 v)
{
    return (scan_flags){
        {~scan_at_least(v.word[0], 0x20) | v.word[0], ~scan_at_least(v.word[1], 0x20) | v.word[1]}};
}

static inline uint64_t scan_digits_of(uint64_t word)
{
    return scan_at_least(word, '0') & ~scan_at_least(word, '9' + 1) & ~word;
}

static inline scan_flags scan_is_digit(scan16 v)
{
    return (scan_flags){{scan_digits_of(v.word[0]), scan_digits_of(v.word[1])}};
}

/* The top bits of eight bytes as eight bits: the product puts bit 8i of (word >> 7) at 56 + i, and no two
 * meet below. */
static inline uint32_t scan_gather_word(uint64_t word)
{
    return (uint32_t)((((word >> 7) & SCAN_EACH(1)) * UINT64_C(0x0102040810204080)) >> 56);
}

static inline uint32_t scan_gather(scan_flags f)
{
    return scan_gather_word(f.word[0]) | scan_gather_word(f.word[1]) << 8;
}

static inline uint64_t scan_gather64(scan_flags a, scan_flags b, scan_flags c, scan_flags d)
{
    return (uint64_t)scan_gather(a) | (uint64_t)scan_gather(b) << 16 | (uint64_t)scan_gather(c) << 32 |
           (uint64_t)scan_gather(d) << 48;
}

#endif

static inline uint32_t scan_equal(scan16 v, char c)
{
    return scan_gather(scan_is_same(v, scan_each(c)));
}

/* Bytes equal to the pattern's at the same place. */
static inline uint32_t scan_same(scan16 v, scan16 pattern)
{
    return scan_gather(scan_is_same(v, pattern));
}

/* Bytes of 0x80 and above. */
static inline uint32_t scan_high(scan16 v)
{
    return scan_gather(scan_is_high(v));
}

/* Control bytes (below 0x20) and those of 0x80 and above. */
static inline uint32_t scan_control_or_high(scan16 v)
{
    return scan_gather(scan_is_control_or_high(v));
}

/* ASCII digits. */
static inline uint32_t scan_digits(scan16 v)
{
    return scan_gather(scan_is_digit(v));
}

/* 64 bytes. */
struct scan64 {
    scan16 a, b, c, d;
};

static inline struct scan64 scan64_load(const char *p)
{
    return (struct scan64){scan_load(p), scan_load(p + 16), scan_load(p + 32), scan_load(p + 48)};
}

static inline uint64_t scan64_equal(struct scan64 v, char c)
{
    scan16 each = scan_each(c);
    return scan_gather64(scan_is_same(v.a, each), scan_is_same(v.b, each), scan_is_same(v.c, each),
                         scan_is_same(v.d, each));
}

static inline uint64_t scan64_high(struct scan64 v)
{
    return scan_gather64(scan_is_high(v.a), scan_is_high(v.b), scan_is_high(v.c), scan_is_high(v.d));
}

static inline uint64_t scan64_control_or_high(struct scan64 v)
{
    return scan_gather64(scan_is_control_or_high(v.a), scan_is_control_or_high(v.b),
                         scan_is_control_or_high(v.c), scan_is_control_or_high(v.d));
}

#endif

/* Sixteen bytes at a time: which of them are what, as a bit each (bit 0 is the first byte). SSE2, which every
 * x86-64 has; elsewhere (or with SCAN_PORTABLE) two 64-bit words. Internal to decoders and text. */
#ifndef SIDETAIL_BASE_SCAN_H
#define SIDETAIL_BASE_SCAN_H

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(SCAN_PORTABLE)
#include <emmintrin.h>

typedef __m128i scan16;

static inline scan16 scan_load(const char *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

static inline void scan_store(char *p, scan16 v)
{
    _mm_storeu_si128((__m128i *)p, v);
}

static inline uint32_t scan_equal(scan16 v, char c)
{
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(c)));
}

/* Bytes equal to the pattern's at the same place. */
static inline uint32_t scan_same(scan16 v, scan16 pattern)
{
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, pattern));
}

/* Bytes of 0x80 and above. */
static inline uint32_t scan_high(scan16 v)
{
    return (uint32_t)_mm_movemask_epi8(v);
}

/* Control bytes (below 0x20) and those of 0x80 and above: as signed bytes both are less than a space. */
static inline uint32_t scan_control_or_high(scan16 v)
{
    return (uint32_t)_mm_movemask_epi8(_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)));
}

/* ASCII digits. */
static inline uint32_t scan_digits(scan16 v)
{
    __m128i value = _mm_sub_epi8(v, _mm_set1_epi8('0'));
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(value, _mm_set1_epi8(9)), value));
}

#else

typedef struct {
    uint64_t word[2]; /* the byte at the lowest address is the lowest */
} scan16;

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

/* The top bits of eight bytes as eight bits: the product puts bit 8i of (word >> 7) at 56 + i, and no two
 * meet below. */
static inline uint32_t scan_gather(uint64_t word)
{
    return (uint32_t)((((word >> 7) & SCAN_EACH(1)) * UINT64_C(0x0102040810204080)) >> 56);
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

static inline uint32_t scan_both(uint64_t low, uint64_t high)
{
    return scan_gather(low) | scan_gather(high) << 8;
}

static inline uint32_t scan_same(scan16 v, scan16 pattern)
{
    return scan_both(scan_zeros(v.word[0] ^ pattern.word[0]), scan_zeros(v.word[1] ^ pattern.word[1]));
}

static inline uint32_t scan_equal(scan16 v, char c)
{
    uint64_t each = SCAN_EACH((uint8_t)c);
    return scan_both(scan_zeros(v.word[0] ^ each), scan_zeros(v.word[1] ^ each));
}

static inline uint32_t scan_high(scan16 v)
{
    return scan_both(v.word[0], v.word[1]);
}

static inline uint32_t scan_control_or_high(scan16 v)
{
    return scan_both(~scan_at_least(v.word[0], 0x20) | v.word[0],
                     ~scan_at_least(v.word[1], 0x20) | v.word[1]);
}

static inline uint64_t scan_digits_of(uint64_t word)
{
    return scan_at_least(word, '0') & ~scan_at_least(word, '9' + 1) & ~word;
}

static inline uint32_t scan_digits(scan16 v)
{
    return scan_both(scan_digits_of(v.word[0]), scan_digits_of(v.word[1]));
}

#endif
#endif

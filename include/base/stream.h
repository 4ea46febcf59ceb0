/* Which of its two streams a program wrote a line to. */
#ifndef SIDETAIL_BASE_STREAM_H
#define SIDETAIL_BASE_STREAM_H

enum stream { STREAM_STDOUT, STREAM_STDERR, STREAM_COUNT };

#endif

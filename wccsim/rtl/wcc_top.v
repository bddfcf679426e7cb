// wcc_top: one layer of wavelet-compressed convolution, five phases that do not overlap.
//
// Specification: docs/datapath.md, sections 0 to 7 (function), 9 (cycles). Constants: p.vh, generated.
//   HAAR     pad, butterflies of P channels a cycle, joint score        ceil(C/P) * sum_l N/4^l cycles
//   SELECT   which K positions are kept; bitmap and gather list         see shrink_select.v
//   GATHER   kept coefficients through R1                               ceil(C/P) * K cycles
//   MAC      P x Q dot products a cycle, then R2                        ceil(C/P) * ceil(Cout/Q) * K cycles
//   INVERSE  zero-fill, bias, butterflies of Q channels, R3, crop       ceil(Cout/Q) * sum_l N/4^l cycles
// Widths: pixels IN_BITS; coefficients CW = b + 2L; score SW; kept coefficients ACT_BITS; weights
// WEIGHT_BITS; accumulators 32; wavelet words YW; inverse IW; outputs 8. Memories answer in the same cycle
// and have one write and one read port each; those of coefficients, scores, flags and wavelet words are
// banked by sub-band (band_address.v).
// Timing: `start` for one cycle; `done` stays high after the last phase. The caller answers every address
// port in the same cycle. cycles_* count the cycles of each phase since `start`.
`include "p.vh"
module wcc_top #(
    parameter LEVELS = `WCC_LEVELS,
    parameter CHANNELS = `WCC_CHANNELS,
    parameter OUT_CHANNELS = `WCC_OUT_CHANNELS,
    parameter HEIGHT = `WCC_HEIGHT,
    parameter WIDTH = `WCC_WIDTH,
    parameter PADDED_HEIGHT = `WCC_PADDED_HEIGHT,
    parameter PADDED_WIDTH = `WCC_PADDED_WIDTH,
    parameter KEPT = `WCC_KEPT,
    parameter P = `WCC_P,
    parameter Q = `WCC_Q,
    parameter IN_BITS = `WCC_IN_BITS,
    parameter CW = `WCC_COEFFICIENT_BITS,
    parameter SW = `WCC_SCORE_BITS,
    parameter ACT_BITS = `WCC_ACT_BITS,
    parameter WEIGHT_BITS = `WCC_WEIGHT_BITS,
    parameter YW = `WCC_WAVELET_BITS,
    parameter IW = `WCC_INVERSE_BITS,
    parameter NW = `WCC_POSITION_BITS,
    parameter IGW = `WCC_IN_GROUP_BITS,
    parameter OGW = `WCC_OUT_GROUP_BITS
) (
    input  wire                       clk,
    input  wire                       reset,
    input  wire                       start,
    output wire                       done,
    // pixels of one 2x2 block, P channels
    output wire [IGW-1:0]             x_group,
    output wire [NW-1:0]              x_row,
    output wire [NW-1:0]              x_column,
    input  wire [P*IN_BITS-1:0]       x_a,
    input  wire [P*IN_BITS-1:0]       x_b,
    input  wire [P*IN_BITS-1:0]       x_c,
    input  wire [P*IN_BITS-1:0]       x_d,
    // P x Q weights
    output wire [OGW-1:0]             out_group,
    output wire [IGW-1:0]             w_group,
    input  wire [P*Q*WEIGHT_BITS-1:0] weight,
    // requantisers: one pair for R1; a pair and a bias for each of the Q channels of out_group
    input  wire [30:0]                r1_multiplier,
    input  wire [6:0]                 r1_shift,
    input  wire [Q*31-1:0]            r2_multiplier,
    input  wire [Q*7-1:0]             r2_shift,
    input  wire [Q*31-1:0]            r3_multiplier,
    input  wire [Q*7-1:0]             r3_shift,
    input  wire [Q*IW-1:0]            bias,
    // accumulators of kept position acc_index and the words that R2 makes of them
    output wire                       acc_valid,
    output wire [NW-1:0]              acc_index,
    output wire [Q*32-1:0]            acc,
    output wire [Q*YW-1:0]            y,
    // the index memory, read when done: 32-bit word of this number
    /* verilator lint_off UNUSED */
    input  wire [NW-1:0]              bitmap_address,
    /* verilator lint_on UNUSED */
    output wire [31:0]                bitmap_data,
    // four outputs of a 2x2 block at row 2 * out_row, column 2 * out_column; which lie inside the map
    output wire                       out_valid,
    output wire [NW-1:0]              out_row,
    output wire [NW-1:0]              out_column,
    output wire [3:0]                 out_inside,
    output wire [Q*8-1:0]             out_a,
    output wire [Q*8-1:0]             out_b,
    output wire [Q*8-1:0]             out_c,
    output wire [Q*8-1:0]             out_d,
    output reg  [31:0]                cycles_haar,
    output reg  [31:0]                cycles_select,
    output reg  [31:0]                cycles_gather,
    output reg  [31:0]                cycles_mac,
    output reg  [31:0]                cycles_inverse
);
    localparam N = PADDED_HEIGHT * PADDED_WIDTH;
    localparam NL = N >> (2 * LEVELS);                       // words of LL_L in a channel
    localparam BLOCKS = N / 4 + ((LEVELS > 1) ? N / 16 : 0) + ((LEVELS > 2) ? N / 64 : 0)
                      + ((LEVELS > 3) ? N / 256 : 0) + ((LEVELS > 4) ? N / 1024 : 0);
    localparam IN_GROUPS = (CHANNELS + P - 1) / P;
    localparam OUT_GROUPS = (OUT_CHANNELS + Q - 1) / Q;
    localparam LAST_LANES = CHANNELS - (IN_GROUPS - 1) * P;
    localparam WORDS = (N + 31) / 32;
    localparam LIMIT1 = (1 << (ACT_BITS - 1)) - 1;
    localparam LIMIT2 = (1 << (YW - 1)) - 1;
    localparam AD = (IN_GROUPS * BLOCKS > 1) ? $clog2(IN_GROUPS * BLOCKS) : 1;          // addresses: detail and LL coefficients,
    localparam AL = (IN_GROUPS * NL > 1) ? $clog2(IN_GROUPS * NL) : 1;
    localparam SD = (BLOCKS > 1) ? $clog2(BLOCKS) : 1;                      // scores and flags,
    localparam SL = (NL > 1) ? $clog2(NL) : 1;
    localparam YD = (OUT_GROUPS * BLOCKS > 1) ? $clog2(OUT_GROUPS * BLOCKS) : 1;         // wavelet words,
    localparam YL = (OUT_GROUPS * NL > 1) ? $clog2(OUT_GROUPS * NL) : 1;
    localparam QA = (IN_GROUPS * KEPT > 1) ? $clog2(IN_GROUPS * KEPT) : 1;            // kept coefficients
    localparam WA = (WORDS > 1) ? $clog2(WORDS) : 1;
    localparam KW = (KEPT > 1) ? $clog2(KEPT) : 1;
    // Constants that fit their registers by construction.
    /* verilator lint_off WIDTH */
    localparam [NW-1:0] LAST_KEPT = KEPT - 1;
    localparam [NW-1:0] LAST_POSITION = N - 1;
    localparam [NW-1:0] LAST_COLUMN = PADDED_WIDTH - 1;
    localparam [NW-1:0] LL_START = BLOCKS - NL;
    localparam [NW-1:0] LAST_NUMBER = BLOCKS - 1;
    localparam [NW-1:0] LAST_FINE = N / 4 - 1;               // last block of level 1
    localparam [NW-1:0] ONE = 1;
    localparam [IGW-1:0] LAST_IN = IN_GROUPS - 1;
    localparam [OGW-1:0] LAST_OUT = OUT_GROUPS - 1;
    localparam [IGW-1:0] NEXT_IN = 1;
    localparam [OGW-1:0] NEXT_OUT = 1;
    localparam [AD-1:0] DETAIL_STEP = BLOCKS;
    localparam [AL-1:0] LL_STEP = NL;
    localparam [YD-1:0] Y_STEP = BLOCKS;
    localparam [YL-1:0] Y_LL_STEP = NL;
    localparam [QA-1:0] Q_STEP = KEPT;
    localparam [QA-1:0] Q_ONE = 1;
    localparam [WA-1:0] W_ONE = 1;
    localparam [2:0] TOP = LEVELS;
    localparam [34:0] LEVEL_SHIFTS = `WCC_LEVEL_SHIFTS;
    localparam [NW:0] MAP_ROWS = HEIGHT;
    localparam [NW:0] MAP_COLUMNS = WIDTH;
    /* verilator lint_on WIDTH */
    localparam [2:0] IDLE = 0, HAAR = 1, SELECT = 2, GATHER = 3, MAC = 4, INVERSE = 5, DONE = 6;

    reg [2:0] phase;
    assign done = phase == DONE;
    function [6:0] level_shift(input [2:0] which);           // the extra power of two of a level
        level_shift = LEVEL_SHIFTS[(which - 3'd1) * 7 +: 7];
    endfunction

    // HAAR
    wire             haar_valid;
    wire             haar_done;
    wire [2:0]       haar_level;
    wire [NW-1:0]    haar_number;
    wire [P*CW-1:0]  ll;
    wire [P*CW-1:0]  lh;
    wire [P*CW-1:0]  hl;
    wire [P*CW-1:0]  hh;
    haar_forward #(.LEVELS(LEVELS), .CHANNELS(CHANNELS), .HEIGHT(HEIGHT), .WIDTH(WIDTH),
        .PADDED_HEIGHT(PADDED_HEIGHT), .PADDED_WIDTH(PADDED_WIDTH), .P(P), .IN_BITS(IN_BITS), .CW(CW),
        .NW(NW), .GW(IGW)) forward (
        .clk(clk), .reset(reset), .start(start), .group(x_group), .row(x_row), .column(x_column),
        .pixel_a(x_a), .pixel_b(x_b), .pixel_c(x_c), .pixel_d(x_d), .valid(haar_valid), .done(haar_done),
        .level(haar_level), .number(haar_number), .ll(ll), .lh(lh), .hl(hl), .hh(hh));

    reg [P*CW-1:0] coefficient_ll [0:IN_GROUPS*NL-1];
    reg [P*CW-1:0] coefficient_lh [0:IN_GROUPS*BLOCKS-1];
    reg [P*CW-1:0] coefficient_hl [0:IN_GROUPS*BLOCKS-1];
    reg [P*CW-1:0] coefficient_hh [0:IN_GROUPS*BLOCKS-1];
    reg [SW-1:0]   score_ll [0:NL-1];
    reg [SW-1:0]   score_lh [0:BLOCKS-1];
    reg [SW-1:0]   score_hl [0:BLOCKS-1];
    reg [SW-1:0]   score_hh [0:BLOCKS-1];
    reg [AD-1:0]   haar_detail;                              // first address of the channel group
    reg [AL-1:0]   haar_ll;
    wire           haar_top = haar_level == TOP;
    wire           haar_first = x_group == {IGW{1'b0}};
    /* verilator lint_off UNUSED */
    wire [NW-1:0]  haar_place = haar_number - LL_START;
    wire [SD-1:0]  score_detail_at = haar_number[SD-1:0];
    wire [SL-1:0]  score_ll_at = haar_place[SL-1:0];
    wire [AD-1:0]  store_detail = haar_detail + {{(AD-SD){1'b0}}, score_detail_at};
    wire [AL-1:0]  store_ll = haar_ll + {{(AL-SL){1'b0}}, score_ll_at};
    /* verilator lint_on UNUSED */
    wire [SW-1:0]  add_ll;
    wire [SW-1:0]  add_lh;
    wire [SW-1:0]  add_hl;
    wire [SW-1:0]  add_hh;
    wire [2:0]     score_alignment = TOP - haar_level;
    lane_score #(.P(P), .CW(CW), .SW(SW), .SCORE(`WCC_SCORE)) of_ll (.coefficient(ll), .alignment(score_alignment), .score(add_ll));
    lane_score #(.P(P), .CW(CW), .SW(SW), .SCORE(`WCC_SCORE)) of_lh (.coefficient(lh), .alignment(score_alignment), .score(add_lh));
    lane_score #(.P(P), .CW(CW), .SW(SW), .SCORE(`WCC_SCORE)) of_hl (.coefficient(hl), .alignment(score_alignment), .score(add_hl));
    lane_score #(.P(P), .CW(CW), .SW(SW), .SCORE(`WCC_SCORE)) of_hh (.coefficient(hh), .alignment(score_alignment), .score(add_hh));
    function [SW-1:0] joined(input [SW-1:0] old, input [SW-1:0] more);
        joined = haar_first ? more : (`WCC_SCORE != 2) ? old + more : (more > old) ? more : old;
    endfunction
    always @(posedge clk) begin
        if (start) begin
            haar_detail <= {AD{1'b0}};
            haar_ll <= {AL{1'b0}};
        end else if (haar_valid) begin
            coefficient_lh[store_detail] <= lh;
            coefficient_hl[store_detail] <= hl;
            coefficient_hh[store_detail] <= hh;
            score_lh[score_detail_at] <= joined(score_lh[score_detail_at], add_lh);
            score_hl[score_detail_at] <= joined(score_hl[score_detail_at], add_hl);
            score_hh[score_detail_at] <= joined(score_hh[score_detail_at], add_hh);
            if (haar_top) begin
                coefficient_ll[store_ll] <= ll;
                score_ll[score_ll_at] <= joined(score_ll[score_ll_at], add_ll);
            end
            if (haar_number == LAST_NUMBER) begin
                haar_detail <= haar_detail + DETAIL_STEP;
                haar_ll <= haar_ll + LL_STEP;
            end
        end
    end

    // SELECT: the positions in flat order; kept ones enter the gather list
    localparam EW = 5 + NW;                                  // level, band, address
    reg  [NW-1:0]  flat;
    reg  [NW-1:0]  flat_row;
    reg  [NW-1:0]  flat_column;
    wire [2:0]     flat_level;
    wire [1:0]     flat_band;
    wire [NW-1:0]  flat_address;
    band_address #(.LEVELS(LEVELS), .HEIGHT(PADDED_HEIGHT), .WIDTH(PADDED_WIDTH), .NW(NW)) place (
        .row(flat_row), .column(flat_column), .level(flat_level), .band(flat_band), .address(flat_address));
    wire [SD-1:0]  look_detail = flat_address[SD-1:0];
    wire [SL-1:0]  look_ll = flat_address[SL-1:0];
    wire [SW-1:0]  look_score = (flat_band == 2'd0) ? score_ll[look_ll] : (flat_band == 2'd1) ? score_lh[look_detail]
                              : (flat_band == 2'd2) ? score_hl[look_detail] : score_hh[look_detail];
    wire           select_step;
    wire           select_restart;
    wire           mark;
    wire           keep;
    wire           select_done;
    shrink_select #(.N(N), .K(KEPT), .SW(SW), .BINNED(`WCC_BINNED), .M(`WCC_MANTISSA_BITS), .CNT(NW)) selection (
        .clk(clk), .reset(reset), .start(haar_done), .score(look_score), .step(select_step),
        .restart(select_restart), .mark(mark), .keep(keep), .done(select_done));
    wire           bitmap_write;
    wire [31:0]    bitmap_word;
    bitmap_pack pack (.clk(clk), .restart(haar_done), .valid(mark), .flag(keep), .last(flat == LAST_POSITION),
        .write(bitmap_write), .word(bitmap_word));
    reg [31:0]     bitmap [0:WORDS-1];
    reg [EW-1:0]   kept_list [0:KEPT-1];
    reg            flag_ll [0:NL-1];
    reg            flag_lh [0:BLOCKS-1];
    reg            flag_hl [0:BLOCKS-1];
    reg            flag_hh [0:BLOCKS-1];
    reg [WA-1:0]   bitmap_at;
    assign bitmap_data = bitmap[bitmap_address[WA-1:0]];
    reg [NW-1:0]   kept_at;
    always @(posedge clk) begin
        if (phase != SELECT) begin
            flat <= {NW{1'b0}};
            flat_row <= {NW{1'b0}};
            flat_column <= {NW{1'b0}};
            bitmap_at <= {WA{1'b0}};
            kept_at <= {NW{1'b0}};
        end else begin
            if (select_restart) begin
                flat <= {NW{1'b0}};
                flat_row <= {NW{1'b0}};
                flat_column <= {NW{1'b0}};
            end else if (select_step) begin
                flat <= flat + ONE;
                flat_column <= (flat_column == LAST_COLUMN) ? {NW{1'b0}} : flat_column + ONE;
                if (flat_column == LAST_COLUMN) flat_row <= flat_row + ONE;
            end
            if (bitmap_write) begin
                bitmap[bitmap_at] <= bitmap_word;
                bitmap_at <= bitmap_at + W_ONE;
            end
            if (mark) begin
                case (flat_band)
                    2'd0: flag_ll[look_ll] <= keep;
                    2'd1: flag_lh[look_detail] <= keep;
                    2'd2: flag_hl[look_detail] <= keep;
                    default: flag_hh[look_detail] <= keep;
                endcase
                if (keep) begin
                    kept_list[kept_at[KW-1:0]] <= {flat_level, flat_band, flat_address};
                    kept_at <= kept_at + ONE;
                end
            end
        end
    end

    // GATHER: kept coefficients through R1; channel groups outermost
    reg  [NW-1:0]  gather_j;
    reg  [IGW-1:0] gather_g;
    reg  [NW-1:0]  mac_j;                                    // position of the MAC phase
    reg  [AD-1:0]  gather_detail;
    reg  [AL-1:0]  gather_ll;
    reg  [QA-1:0]  gather_to;
    reg  [P*ACT_BITS-1:0] kept [0:IN_GROUPS*KEPT-1];
    // The list is read by the gather, then by the MAC phase.
    /* verilator lint_off UNUSED */
    wire [NW-1:0]  list_at = (phase == GATHER) ? gather_j : mac_j;
    wire [EW-1:0]  entry = kept_list[list_at[KW-1:0]];
    /* verilator lint_on UNUSED */
    wire [2:0]     entry_level = entry[EW-1 -: 3];
    wire [1:0]     entry_band = entry[EW-4 -: 2];
    wire [SD-1:0]  entry_detail = entry[SD-1:0];
    wire [SL-1:0]  entry_ll = entry[SL-1:0];
    wire [AD-1:0]  gather_detail_at = gather_detail + {{(AD-SD){1'b0}}, entry_detail};
    wire [AL-1:0]  gather_ll_at = gather_ll + {{(AL-SL){1'b0}}, entry_ll};
    wire [P*CW-1:0] gathered = (entry_band == 2'd0) ? coefficient_ll[gather_ll_at]
                             : (entry_band == 2'd1) ? coefficient_lh[gather_detail_at]
                             : (entry_band == 2'd2) ? coefficient_hl[gather_detail_at] : coefficient_hh[gather_detail_at];
    // The gain 2^l of level l is taken off here.
    wire [6:0]     r1_total = r1_shift + {4'd0, entry_level} + level_shift(entry_level);
    wire [P*ACT_BITS-1:0] gathered_q;
    genvar i;
    generate
        for (i = 0; i < P; i = i + 1) begin : r1_lane
            requant #(.IW(CW), .OW(ACT_BITS), .LO(-LIMIT1), .HI(LIMIT1), .DOUBLE(`WCC_DOUBLE)) r1 (
                .value(gathered[i*CW +: CW]), .multiplier(r1_multiplier), .shift(r1_total),
                .result(gathered_q[i*ACT_BITS +: ACT_BITS]));
        end
    endgenerate
    wire gather_done = phase == GATHER && gather_j == LAST_KEPT && gather_g == LAST_IN;
    always @(posedge clk) begin
        if (phase != GATHER) begin
            gather_j <= {NW{1'b0}};
            gather_g <= {IGW{1'b0}};
            gather_detail <= {AD{1'b0}};
            gather_ll <= {AL{1'b0}};
            gather_to <= {QA{1'b0}};
        end else begin
            kept[gather_to] <= gathered_q;
            gather_to <= gather_to + Q_ONE;
            gather_j <= (gather_j == LAST_KEPT) ? {NW{1'b0}} : gather_j + ONE;
            if (gather_j == LAST_KEPT) begin
                gather_g <= gather_g + NEXT_IN;
                gather_detail <= gather_detail + DETAIL_STEP;
                gather_ll <= gather_ll + LL_STEP;
            end
        end
    end

    // MAC: output groups outermost, then positions, then input groups; R2 with the last input group
    reg  [OGW-1:0] mac_o;
    reg  [IGW-1:0] mac_g;
    reg  [QA-1:0]  mac_from;                                 // first kept word of the input group
    reg  [YD-1:0]  mac_detail;
    reg  [YL-1:0]  mac_ll;
    wire           mac_last = mac_g == LAST_IN;
    /* verilator lint_off UNUSED */
    wire [QA+NW-1:0] mac_at = {{NW{1'b0}}, mac_from} + {{QA{1'b0}}, mac_j};
    /* verilator lint_on UNUSED */
    wire [P*ACT_BITS-1:0] act = kept[mac_at[QA-1:0]];
    wire [P*Q*WEIGHT_BITS-1:0] used_weight;
    genvar o;
    generate
        for (o = 0; o < Q; o = o + 1) begin : weight_row
            for (i = 0; i < P; i = i + 1) begin : weight_lane
                // A lane beyond the last channel multiplies by zero.
                wire used = (i < LAST_LANES) ? 1'b1 : !mac_last;
                assign used_weight[(o*P+i)*WEIGHT_BITS +: WEIGHT_BITS] =
                    used ? weight[(o*P+i)*WEIGHT_BITS +: WEIGHT_BITS] : {WEIGHT_BITS{1'b0}};
            end
        end
    endgenerate
    mac_array #(.P(P), .Q(Q), .AW(ACT_BITS), .BW(WEIGHT_BITS), .ACC(32)) array (
        .clk(clk), .enable(phase == MAC), .first(mac_g == {IGW{1'b0}}), .act(act), .weight(used_weight), .sum(acc));
    assign w_group = mac_g;
    assign acc_valid = phase == MAC && mac_last;
    assign acc_index = mac_j;
    generate
        for (i = 0; i < Q; i = i + 1) begin : r2_lane
            // What R1 took off beyond the level's gain is given back here.
            wire [6:0] total = r2_shift[i*7 +: 7] - level_shift(entry_level);
            requant #(.IW(32), .OW(YW), .LO(-LIMIT2), .HI(LIMIT2), .DOUBLE(`WCC_DOUBLE)) r2 (
                .value(acc[i*32 +: 32]), .multiplier(r2_multiplier[i*31 +: 31]), .shift(total),
                .result(y[i*YW +: YW]));
        end
    endgenerate
    reg  [Q*YW-1:0] wavelet_ll [0:OUT_GROUPS*NL-1];
    reg  [Q*YW-1:0] wavelet_lh [0:OUT_GROUPS*BLOCKS-1];
    reg  [Q*YW-1:0] wavelet_hl [0:OUT_GROUPS*BLOCKS-1];
    reg  [Q*YW-1:0] wavelet_hh [0:OUT_GROUPS*BLOCKS-1];
    wire [YD-1:0]  y_detail = mac_detail + {{(YD-SD){1'b0}}, entry_detail};
    wire [YL-1:0]  y_ll = mac_ll + {{(YL-SL){1'b0}}, entry_ll};
    wire           mac_done = acc_valid && mac_j == LAST_KEPT && mac_o == LAST_OUT;
    always @(posedge clk) begin
        if (phase != MAC) begin
            mac_o <= {OGW{1'b0}};
            mac_j <= {NW{1'b0}};
            mac_g <= {IGW{1'b0}};
            mac_from <= {QA{1'b0}};
            mac_detail <= {YD{1'b0}};
            mac_ll <= {YL{1'b0}};
        end else begin
            mac_g <= mac_last ? {IGW{1'b0}} : mac_g + NEXT_IN;
            mac_from <= mac_last ? {QA{1'b0}} : mac_from + Q_STEP;
            if (mac_last) begin
                case (entry_band)
                    2'd0: wavelet_ll[y_ll] <= y;
                    2'd1: wavelet_lh[y_detail] <= y;
                    2'd2: wavelet_hl[y_detail] <= y;
                    default: wavelet_hh[y_detail] <= y;
                endcase
                mac_j <= (mac_j == LAST_KEPT) ? {NW{1'b0}} : mac_j + ONE;
                if (mac_j == LAST_KEPT) begin
                    mac_o <= mac_o + NEXT_OUT;
                    mac_detail <= mac_detail + Y_STEP;
                    mac_ll <= mac_ll + Y_LL_STEP;
                end
            end
        end
    end

    // INVERSE: a position that is not kept reads as zero, one AND gate a bit
    reg  [YD-1:0]  inverse_detail;
    reg  [YL-1:0]  inverse_ll;
    /* verilator lint_off UNUSED */
    wire [NW-1:0]  detail_address;
    wire [NW-1:0]  ll_address;
    /* verilator lint_on UNUSED */
    wire [SD-1:0]  detail_at = detail_address[SD-1:0];
    wire [SL-1:0]  ll_at = ll_address[SL-1:0];
    wire [YD-1:0]  read_detail = inverse_detail + {{(YD-SD){1'b0}}, detail_at};
    wire [YL-1:0]  read_ll = inverse_ll + {{(YL-SL){1'b0}}, ll_at};
    wire           inverse_running;
    wire           inverse_done;
    wire [OGW-1:0] inverse_o;
    wire [Q*IW-1:0] pixel_a;
    wire [Q*IW-1:0] pixel_b;
    wire [Q*IW-1:0] pixel_c;
    wire [Q*IW-1:0] pixel_d;
    haar_inverse #(.LEVELS(LEVELS), .OUT_CHANNELS(OUT_CHANNELS), .PADDED_HEIGHT(PADDED_HEIGHT),
        .PADDED_WIDTH(PADDED_WIDTH), .Q(Q), .YW(YW), .IW(IW), .NW(NW), .GW(OGW)) inverse (
        .clk(clk), .reset(reset), .start(mac_done), .group(inverse_o),
        .detail_address(detail_address), .ll_address(ll_address),
        .ll({(Q*YW){flag_ll[ll_at]}} & wavelet_ll[read_ll]), .lh({(Q*YW){flag_lh[detail_at]}} & wavelet_lh[read_detail]),
        .hl({(Q*YW){flag_hl[detail_at]}} & wavelet_hl[read_detail]),
        .hh({(Q*YW){flag_hh[detail_at]}} & wavelet_hh[read_detail]),
        .bias(bias), .running(inverse_running), .done(inverse_done), .out_valid(out_valid),
        .row(out_row), .column(out_column),
        .pixel_a(pixel_a), .pixel_b(pixel_b), .pixel_c(pixel_c), .pixel_d(pixel_d));
    assign out_group = (phase == MAC) ? mac_o : inverse_o;
    assign out_inside = {{out_row, 1'b0} < MAP_ROWS && {out_column, 1'b0} < MAP_COLUMNS,
                         {out_row, 1'b0} < MAP_ROWS && {out_column, 1'b1} < MAP_COLUMNS,
                         {out_row, 1'b1} < MAP_ROWS && {out_column, 1'b0} < MAP_COLUMNS,
                         {out_row, 1'b1} < MAP_ROWS && {out_column, 1'b1} < MAP_COLUMNS};
    always @(posedge clk) begin
        if (phase != INVERSE) begin
            inverse_detail <= {YD{1'b0}};
            inverse_ll <= {YL{1'b0}};
        end else if (out_valid && detail_address == LAST_FINE) begin
            inverse_detail <= inverse_detail + Y_STEP;
            inverse_ll <= inverse_ll + Y_LL_STEP;
        end
    end
    generate
        for (i = 0; i < Q; i = i + 1) begin : r3_lane
            requant4 #(.IW(IW), .LO(`WCC_OUT_LOW), .HI(`WCC_OUT_HIGH), .DOUBLE(`WCC_DOUBLE)) r3 (
                .a(pixel_a[i*IW +: IW]), .b(pixel_b[i*IW +: IW]), .c(pixel_c[i*IW +: IW]), .d(pixel_d[i*IW +: IW]),
                .multiplier(r3_multiplier[i*31 +: 31]), .shift(r3_shift[i*7 +: 7]),
                .out_a(out_a[i*8 +: 8]), .out_b(out_b[i*8 +: 8]), .out_c(out_c[i*8 +: 8]), .out_d(out_d[i*8 +: 8]));
        end
    endgenerate

    // The phases and their counters
    always @(posedge clk) begin
        if (reset) phase <= IDLE;
        else case (phase)
            HAAR: if (haar_done) phase <= SELECT;
            SELECT: if (select_done) phase <= GATHER;
            GATHER: if (gather_done) phase <= MAC;
            MAC: if (mac_done) phase <= INVERSE;
            INVERSE: if (inverse_done) phase <= DONE;
            default: if (start) phase <= HAAR;
        endcase
        if (start) begin
            cycles_haar <= 32'd0;
            cycles_select <= 32'd0;
            cycles_gather <= 32'd0;
            cycles_mac <= 32'd0;
            cycles_inverse <= 32'd0;
        end else begin
            if (haar_valid) cycles_haar <= cycles_haar + 32'd1;
            if (phase == SELECT) cycles_select <= cycles_select + 32'd1;
            if (phase == GATHER) cycles_gather <= cycles_gather + 32'd1;
            if (phase == MAC) cycles_mac <= cycles_mac + 32'd1;
            if (inverse_running) cycles_inverse <= cycles_inverse + 32'd1;
        end
    end
endmodule

// shrink_select: which K of N positions are kept, from their joint scores in flat order.
//
// Specification: docs/datapath.md, section 3. Kept = the K greatest keys, ties to the lowest flat index.
// BINNED 0: the key is the score; MSD radix select with 8-bit digits, NP = ceil(SW / 8) passes.
// BINNED 1: the key is binned_key(score), M mantissa bits; one histogram of 64 * 2^M bins.
// Widths: score SW <= 63 bits unsigned; counters CNT bits, enough for N.
// Timing: `start` for one cycle. The block then walks the flat positions 0..N-1 with `step` (the address is
// the caller's counter, which `restart` sets to 0 for the next cycle) and reads `score` in the same cycle.
//   exact:  1 + NP * (N + 256) + N + 1 cycles from start to done: load, count and scan NP times, mark, finish
//   binned: N + 512 + N cycles: count, scan (2^M / 8 bins a cycle above M = 3), mark
// In the marking walk `mark` is high and `keep` says whether this position is kept. `done` is the last cycle.
module shrink_select #(
    parameter N = 64,
    parameter K = 16,
    parameter SW = 37,
    parameter BINNED = 0,
    parameter M = 3,
    parameter CNT = 7
) (
    input  wire          clk,
    input  wire          reset,
    input  wire          start,
    input  wire [SW-1:0] score,
    output wire          step,
    output wire          restart,
    output wire          mark,
    output wire          keep,
    output wire          done
);
    localparam NP = (BINNED != 0) ? 1 : (SW + 7) / 8;
    localparam DW = (BINNED != 0) ? 6 + M : 8;                   // digit: the index of a bin
    localparam KW = NP * DW;
    localparam BINS = 1 << DW;
    localparam PER_CYCLE = (BINNED != 0 && M > 3) ? 1 << (M - 3) : 1;
    localparam SCAN = (BINNED != 0) ? 512 : 256;                 // cycles of a scan
    localparam [2:0] IDLE = 0, LOAD = 1, COUNT = 2, SWEEP = 3, MARK = 4, FINISH = 5;
    // Constants that fit their registers by construction.
    /* verilator lint_off WIDTH */
    localparam [CNT-1:0] LAST = N - 1;
    localparam [CNT-1:0] WANTED = K;
    localparam [CNT-1:0] ONE = 1;
    localparam [9:0] LAST_SCAN = SCAN - 1;
    localparam [3:0] LAST_PASS = NP - 1;
    localparam [6:0] DIGIT = DW;
    /* verilator lint_on WIDTH */

    localparam [BINS-1:0] NONE_USED = 0;

    reg [2:0]     state;
    reg [3:0]     pass;                                          // digit in work, the most significant first
    reg [9:0]     scan;                                          // cycle of the scan
    reg [CNT-1:0] position;
    reg [CNT-1:0] needed;                                        // how many of the boundary's bin are kept
    reg           found;
    reg [KW-1:0]  threshold;
    reg [CNT-1:0] histogram [0:BINS-1];
    reg [BINS-1:0] used;                                         // a bin not used in this pass counts 0

    wire [KW-1:0] key;
    generate
        if (BINNED != 0) begin : by_bin
            binned_key #(.SW(SW), .M(M)) to_key (.score(score), .key(key));
        end else if (KW == SW) begin : by_score
            assign key = score;
        end else begin : by_padded_score
            assign key = {{(KW-SW){1'b0}}, score};
        end
    endgenerate

    // Shifts in bits, 7 wide: NP * DW <= 64.
    wire [6:0]    below = {3'd0, pass} * DIGIT;
    /* verilator lint_off UNUSED */
    wire [KW-1:0] digits = key >> below;
    /* verilator lint_on UNUSED */
    wire [DW-1:0] digit = digits[DW-1:0];
    wire [KW-1:0] unlike = ((key ^ threshold) >> below) >> DIGIT;
    wire          alike = unlike == {KW{1'b0}};
    wire          last = position == LAST;

    // One scan cycle: PER_CYCLE bins from the greatest down.
    reg [DW-1:0]  bin;
    reg [DW-1:0]  chosen;
    reg [CNT-1:0] amount;
    reg [CNT-1:0] needed_next;
    reg           found_next;
    integer       i;
    always @* begin
        needed_next = needed;
        found_next = found;
        chosen = {DW{1'b0}};
        bin = {DW{1'b0}};
        amount = {CNT{1'b0}};
        for (i = 0; i < PER_CYCLE; i = i + 1) begin
            bin = bin_at(scan, i);
            // No function here: @* does not see what a function reads.
            amount = used[bin] ? histogram[bin] : {CNT{1'b0}};
            if (!found_next && in_range(scan)) begin
                if (amount >= needed_next) begin
                    found_next = 1'b1;
                    chosen = bin;
                end else needed_next = needed_next - amount;
            end
        end
    end

    // The bins of scan cycle s stand at the top end of the numbers; below M = 3 the first cycles have none.
    function in_range(input [9:0] s);
        in_range = ({22'd0, s} + 1) * PER_CYCLE > SCAN * PER_CYCLE - BINS;
    endfunction
    function [DW-1:0] bin_at(input [9:0] s, input integer offset);
        /* verilator lint_off UNUSED */
        reg [31:0] number;
        /* verilator lint_on UNUSED */
        begin
            number = SCAN * PER_CYCLE - 1 - {22'd0, s} * PER_CYCLE - offset;
            bin_at = number[DW-1:0];
        end
    endfunction

    wire greater = key > threshold;
    wire equal = key == threshold;
    assign step = state == COUNT || state == MARK;
    assign restart = !step || last;
    assign mark = state == MARK;
    assign keep = greater || (equal && needed != {CNT{1'b0}});
    assign done = (BINNED != 0) ? mark && last : state == FINISH;

    always @(posedge clk) begin
        if (reset) state <= IDLE;
        else case (state)
            IDLE: if (start) begin
                state <= (BINNED != 0) ? COUNT : LOAD;
                begin_selection;
            end
            LOAD: state <= COUNT;
            COUNT: begin
                if (alike) begin
                    histogram[digit] <= (used[digit] ? histogram[digit] : {CNT{1'b0}}) + ONE;
                    used[digit] <= 1'b1;
                end
                position <= last ? {CNT{1'b0}} : position + ONE;
                if (last) state <= SWEEP;
            end
            SWEEP: begin
                needed <= needed_next;
                found <= found_next;
                if (found_next && !found)
                    threshold <= threshold | ({{(KW-DW){1'b0}}, chosen} << below);
                scan <= scan + 10'd1;
                if (scan == LAST_SCAN) begin
                    scan <= 10'd0;
                    found <= 1'b0;
                    used <= NONE_USED;
                    if (pass == 4'd0) state <= MARK;
                    else begin
                        pass <= pass - 4'd1;
                        state <= COUNT;
                    end
                end
            end
            MARK: begin
                if (equal && keep) needed <= needed - ONE;
                position <= last ? {CNT{1'b0}} : position + ONE;
                if (last) state <= (BINNED != 0) ? IDLE : FINISH;
            end
            default: state <= IDLE;
        endcase
    end

    task begin_selection;
        begin
            pass <= LAST_PASS;
            scan <= 10'd0;
            position <= {CNT{1'b0}};
            needed <= WANTED;
            found <= 1'b0;
            used <= NONE_USED;
            threshold <= {KW{1'b0}};
        end
    endtask
endmodule

// haar_forward: pads, runs the butterflies of all levels for P channels at once, one block a cycle.
//
// Specification: docs/datapath.md, sections 1, 2 and 9.
// Order: channel groups outermost, then levels 1..L, then blocks row-major.
// Widths: pixels IN_BITS signed; LL words kept between levels CW - 2 bits (level L - 1: b + 2(L-1));
// coefficients CW = b + 2L bits; counters NW bits, enough for N.
// Timing: from the cycle after `start`, `valid` for ceil(C / P) * sum_l N / 4^l cycles; `done` in the last.
// At level 1 the caller answers (group, row, column) in the same cycle with the four pixels of the block at
// pixel row 2 * row, column 2 * column; what lies outside the map or beyond the last channel is read as 0 here.
module haar_forward #(
    parameter LEVELS = 3,
    parameter CHANNELS = 4,
    parameter HEIGHT = 16,
    parameter WIDTH = 16,
    parameter PADDED_HEIGHT = 16,
    parameter PADDED_WIDTH = 16,
    parameter P = 4,
    parameter IN_BITS = 8,
    parameter CW = 14,
    parameter NW = 9,
    parameter GW = 1
) (
    input  wire                 clk,
    input  wire                 reset,
    input  wire                 start,
    output wire [GW-1:0]        group,
    output wire [NW-1:0]        row,
    output wire [NW-1:0]        column,
    input  wire [P*IN_BITS-1:0] pixel_a,
    input  wire [P*IN_BITS-1:0] pixel_b,
    input  wire [P*IN_BITS-1:0] pixel_c,
    input  wire [P*IN_BITS-1:0] pixel_d,
    output wire                 valid,
    output wire                 done,
    output wire [2:0]           level,
    output wire [NW-1:0]        number,    // of the butterfly within its channel group
    output wire [P*CW-1:0]      ll,
    output wire [P*CW-1:0]      lh,
    output wire [P*CW-1:0]      hl,
    output wire [P*CW-1:0]      hh
);
    localparam N = PADDED_HEIGHT * PADDED_WIDTH;
    localparam WW = CW - 2;
    localparam GROUPS = (CHANNELS + P - 1) / P;
    localparam LAST_LANES = CHANNELS - (GROUPS - 1) * P;
    // Words of the levels 1..L-1, in four banks by the parities of row and column.
    localparam DEEP = N / 16 + N / 64 + N / 256 + N / 1024;
    localparam DEPTH = (LEVELS == 1) ? 2 : DEEP + 1;
    localparam AW = $clog2(DEPTH);
    // Constants that fit their counters by construction.
    /* verilator lint_off WIDTH */
    localparam [NW-1:0] ROWS = PADDED_HEIGHT / 2;
    localparam [NW-1:0] COLUMNS = PADDED_WIDTH / 2;
    localparam [NW-1:0] FIRST = N / 4;
    localparam [NW-1:0] ONE = 1;
    localparam [GW-1:0] LAST_GROUP = GROUPS - 1;
    localparam [GW-1:0] NEXT_GROUP = 1;
    localparam [2:0]    LAST_LEVEL = LEVELS;
    /* verilator lint_on WIDTH */

    reg           running;
    reg [GW-1:0]  g;
    reg [2:0]     l;
    reg [NW-1:0]  r;
    reg [NW-1:0]  c;
    reg [NW-1:0]  n;
    reg [NW-1:0]  rows;                    // of this level's blocks
    reg [NW-1:0]  columns;
    reg [NW-1:0]  parent_row;              // butterfly of the next level that takes block (r, 0)
    reg [P*WW-1:0] even_even [0:DEPTH-1];
    reg [P*WW-1:0] even_odd [0:DEPTH-1];
    reg [P*WW-1:0] odd_even [0:DEPTH-1];
    reg [P*WW-1:0] odd_odd [0:DEPTH-1];

    assign valid = running;
    assign group = g;
    assign row = r;
    assign column = c;
    assign level = l;
    assign number = n;
    wire last_column = c == columns - ONE;
    wire last_row = r == rows - ONE;
    wire last_block = last_column && last_row;
    wire last_of_group = last_block && l == LAST_LEVEL;
    assign done = running && last_of_group && g == LAST_GROUP;

    // Padding is zeros to the right and below; a lane beyond the last channel computes zeros.
    localparam [NW:0] MAP_ROWS = HEIGHT;
    localparam [NW:0] MAP_COLUMNS = WIDTH;
    wire upper = {r, 1'b0} < MAP_ROWS;
    wire lower = {r, 1'b1} < MAP_ROWS;
    wire left = {c, 1'b0} < MAP_COLUMNS;
    wire right = {c, 1'b1} < MAP_COLUMNS;
    wire [P*WW-1:0] read_a;
    wire [P*WW-1:0] read_b;
    wire [P*WW-1:0] read_c;
    wire [P*WW-1:0] read_d;
    /* verilator lint_off UNUSED */
    wire [NW-1:0] stored = n - FIRST;      // the levels above 1 read the banks from address 0
    wire [NW-1:0] parent = parent_row + (c >> 1) - FIRST;
    /* verilator lint_on UNUSED */
    wire [AW-1:0] from = stored[AW-1:0];
    wire [AW-1:0] to = parent[AW-1:0];
    wire first_level = l == 3'd1;
    genvar i;
    generate
        for (i = 0; i < P; i = i + 1) begin : lane
            wire used = (i < LAST_LANES) ? 1'b1 : g != LAST_GROUP;
            wire [IN_BITS-1:0] a = (used && upper && left) ? pixel_a[i*IN_BITS +: IN_BITS] : {IN_BITS{1'b0}};
            wire [IN_BITS-1:0] b = (used && upper && right) ? pixel_b[i*IN_BITS +: IN_BITS] : {IN_BITS{1'b0}};
            wire [IN_BITS-1:0] d = (used && lower && left) ? pixel_c[i*IN_BITS +: IN_BITS] : {IN_BITS{1'b0}};
            wire [IN_BITS-1:0] e = (used && lower && right) ? pixel_d[i*IN_BITS +: IN_BITS] : {IN_BITS{1'b0}};
            if (WW == IN_BITS) begin : same
                assign {read_a[i*WW +: WW], read_b[i*WW +: WW]} = {a, b};
                assign {read_c[i*WW +: WW], read_d[i*WW +: WW]} = {d, e};
            end else begin : wider
                assign read_a[i*WW +: WW] = {{(WW-IN_BITS){a[IN_BITS-1]}}, a};
                assign read_b[i*WW +: WW] = {{(WW-IN_BITS){b[IN_BITS-1]}}, b};
                assign read_c[i*WW +: WW] = {{(WW-IN_BITS){d[IN_BITS-1]}}, d};
                assign read_d[i*WW +: WW] = {{(WW-IN_BITS){e[IN_BITS-1]}}, e};
            end
        end
    endgenerate
    haar2d_level #(.IW(WW), .LANES(P)) butterfly (
        .a(first_level ? read_a : even_even[from]), .b(first_level ? read_b : even_odd[from]),
        .c(first_level ? read_c : odd_even[from]), .d(first_level ? read_d : odd_odd[from]),
        .ll(ll), .lh(lh), .hl(hl), .hh(hh));

    // An LL word of a level below L fits CW - 2 bits: its two top bits repeat the sign.
    wire [P*WW-1:0] approximation;
    generate
        for (i = 0; i < P; i = i + 1) begin : narrow
            assign approximation[i*WW +: WW] = ll[i*CW +: WW];
        end
    endgenerate
    always @(posedge clk) begin
        if (running && l != LAST_LEVEL) begin
            case ({r[0], c[0]})
                2'd0: even_even[to] <= approximation;
                2'd1: even_odd[to] <= approximation;
                2'd2: odd_even[to] <= approximation;
                default: odd_odd[to] <= approximation;
            endcase
        end
    end

    task begin_group;
        begin
            l <= 3'd1;
            r <= {NW{1'b0}};
            c <= {NW{1'b0}};
            n <= {NW{1'b0}};
            rows <= ROWS;
            columns <= COLUMNS;
            parent_row <= FIRST;
        end
    endtask

    always @(posedge clk) begin
        if (reset) running <= 1'b0;
        else if (start) begin
            running <= 1'b1;
            g <= {GW{1'b0}};
            begin_group;
        end else if (running) begin
            n <= n + ONE;
            c <= last_column ? {NW{1'b0}} : c + ONE;
            if (last_column) begin
                r <= last_row ? {NW{1'b0}} : r + ONE;
                if (r[0]) parent_row <= parent_row + (columns >> 1);
            end
            if (last_of_group) begin
                begin_group;
                g <= g + NEXT_GROUP;
                if (g == LAST_GROUP) running <= 1'b0;
            end else if (last_block) begin
                // parent_row already stands at the first butterfly of the level after the next.
                l <= l + 3'd1;
                rows <= rows >> 1;
                columns <= columns >> 1;
            end
        end
    end
endmodule

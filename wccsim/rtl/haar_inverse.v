// haar_inverse: zero-filled wavelet words to pixels, for Q output channels at once, one block a cycle.
//
// Specification: docs/datapath.md, sections 7 and 9.
// Order: channel groups outermost, then levels L..1, then blocks row-major. The detail words of level l
// enter shifted left by L - l; the bias is added to every LL_L word, after the zero-fill.
// Widths: wavelet words YW signed; everything inside IW = YW + L + 2 (L >= 2; YW + 2 for L = 1), + 1 with
// bias; the butterfly's two extra output bits repeat the sign and are dropped. Counters NW bits.
// Timing: from the cycle after `start`, `running` for ceil(Cout / Q) * sum_l N / 4^l cycles; `done` in the last.
// The caller answers detail_address and ll_address (level L only) in the same cycle; `out_valid` with level 1.
module haar_inverse #(
    parameter LEVELS = 3,
    parameter OUT_CHANNELS = 4,
    parameter PADDED_HEIGHT = 16,
    parameter PADDED_WIDTH = 16,
    parameter Q = 4,
    parameter YW = 16,
    parameter IW = 22,
    parameter NW = 9,
    parameter GW = 1
) (
    input  wire            clk,
    input  wire            reset,
    input  wire            start,
    output wire [GW-1:0]   group,
    output wire [NW-1:0]   detail_address,
    output wire [NW-1:0]   ll_address,
    input  wire [Q*YW-1:0] ll,
    input  wire [Q*YW-1:0] lh,
    input  wire [Q*YW-1:0] hl,
    input  wire [Q*YW-1:0] hh,
    input  wire [Q*IW-1:0] bias,
    output wire            running,
    output wire            done,
    output wire            out_valid,
    output wire [NW-1:0]   row,
    output wire [NW-1:0]   column,
    output wire [Q*IW-1:0] pixel_a,
    output wire [Q*IW-1:0] pixel_b,
    output wire [Q*IW-1:0] pixel_c,
    output wire [Q*IW-1:0] pixel_d
);
    localparam N = PADDED_HEIGHT * PADDED_WIDTH;
    localparam GROUPS = (OUT_CHANNELS + Q - 1) / Q;
    localparam DEEP = N / 16 + N / 64 + N / 256 + N / 1024;
    localparam DEPTH = (LEVELS == 1) ? 2 : DEEP + 1;
    localparam AW = $clog2(DEPTH);
    localparam B1 = N / 4;
    localparam B2 = (LEVELS > 1) ? N / 16 : 0;
    localparam B3 = (LEVELS > 2) ? N / 64 : 0;
    localparam B4 = (LEVELS > 3) ? N / 256 : 0;
    localparam B5 = (LEVELS > 4) ? N / 1024 : 0;
    // Constants that fit their counters by construction.
    /* verilator lint_off WIDTH */
    localparam [NW-1:0] START = B1 + B2 + B3 + B4 + B5 - (N >> (2 * LEVELS));   // first of level L
    localparam [NW-1:0] SIZE = N >> (2 * LEVELS);
    localparam [NW-1:0] ROWS = PADDED_HEIGHT >> LEVELS;
    localparam [NW-1:0] COLUMNS = PADDED_WIDTH >> LEVELS;
    localparam [NW-1:0] FIRST = B1;
    localparam [NW-1:0] ONE = 1;
    localparam [GW-1:0] LAST_GROUP = GROUPS - 1;
    localparam [GW-1:0] NEXT_GROUP = 1;
    localparam [2:0]    TOP = LEVELS;
    /* verilator lint_on WIDTH */

    reg           active;
    reg [GW-1:0]  g;
    reg [2:0]     l;
    reg [NW-1:0]  r;
    reg [NW-1:0]  c;
    reg [NW-1:0]  base;                    // first butterfly of this level, in the forward numbering
    reg [NW-1:0]  offset;                  // block within the level
    reg [NW-1:0]  size;                    // blocks of this level
    reg [NW-1:0]  rows;
    reg [NW-1:0]  columns;
    reg [NW-1:0]  parent_row;              // butterfly of level l + 1 that made block (r, 0)
    reg [Q*IW-1:0] even_even [0:DEPTH-1];
    reg [Q*IW-1:0] even_odd [0:DEPTH-1];
    reg [Q*IW-1:0] odd_even [0:DEPTH-1];
    reg [Q*IW-1:0] odd_odd [0:DEPTH-1];

    assign running = active;
    assign group = g;
    assign row = r;
    assign column = c;
    assign detail_address = base + offset;
    assign ll_address = offset;
    assign out_valid = active && l == 3'd1;
    wire last_column = c == columns - ONE;
    wire last_row = r == rows - ONE;
    wire last_block = last_column && last_row;
    assign done = active && last_block && l == 3'd1 && g == LAST_GROUP;

    /* verilator lint_off UNUSED */
    wire [NW-1:0] parent = parent_row + (c >> 1) - FIRST;
    wire [NW-1:0] own = base + offset - FIRST;
    /* verilator lint_on UNUSED */
    wire [AW-1:0] from = parent[AW-1:0];
    wire [AW-1:0] to = own[AW-1:0];
    reg  [Q*IW-1:0] approximation;
    always @* begin
        case ({r[0], c[0]})
            2'd0: approximation = even_even[from];
            2'd1: approximation = even_odd[from];
            2'd2: approximation = odd_even[from];
            default: approximation = odd_odd[from];
        endcase
    end

    wire [2:0]      alignment = TOP - l;
    wire [Q*IW-1:0] in_a;
    wire [Q*IW-1:0] in_b;
    wire [Q*IW-1:0] in_c;
    wire [Q*IW-1:0] in_d;
    /* verilator lint_off UNUSED */
    wire [Q*(IW+2)-1:0] wide_a;
    wire [Q*(IW+2)-1:0] wide_b;
    wire [Q*(IW+2)-1:0] wide_c;
    wire [Q*(IW+2)-1:0] wide_d;
    /* verilator lint_on UNUSED */
    genvar i;
    generate
        for (i = 0; i < Q; i = i + 1) begin : lane
            wire [IW-1:0] top = {{(IW-YW){ll[i*YW+YW-1]}}, ll[i*YW +: YW]} + bias[i*IW +: IW];
            wire [IW-1:0] b = {{(IW-YW){lh[i*YW+YW-1]}}, lh[i*YW +: YW]};
            wire [IW-1:0] d = {{(IW-YW){hl[i*YW+YW-1]}}, hl[i*YW +: YW]};
            wire [IW-1:0] e = {{(IW-YW){hh[i*YW+YW-1]}}, hh[i*YW +: YW]};
            assign in_a[i*IW +: IW] = (l == TOP) ? top : approximation[i*IW +: IW];
            assign in_b[i*IW +: IW] = b << alignment;
            assign in_c[i*IW +: IW] = d << alignment;
            assign in_d[i*IW +: IW] = e << alignment;
            assign pixel_a[i*IW +: IW] = wide_a[i*(IW+2) +: IW];
            assign pixel_b[i*IW +: IW] = wide_b[i*(IW+2) +: IW];
            assign pixel_c[i*IW +: IW] = wide_c[i*(IW+2) +: IW];
            assign pixel_d[i*IW +: IW] = wide_d[i*(IW+2) +: IW];
        end
    endgenerate
    haar2d_level #(.IW(IW), .LANES(Q)) butterfly (
        .a(in_a), .b(in_b), .c(in_c), .d(in_d), .ll(wide_a), .lh(wide_b), .hl(wide_c), .hh(wide_d));

    always @(posedge clk) begin
        if (active && l != 3'd1) begin
            even_even[to] <= pixel_a;
            even_odd[to] <= pixel_b;
            odd_even[to] <= pixel_c;
            odd_odd[to] <= pixel_d;
        end
    end

    task begin_group;
        begin
            l <= TOP;
            r <= {NW{1'b0}};
            c <= {NW{1'b0}};
            base <= START;
            offset <= {NW{1'b0}};
            size <= SIZE;
            rows <= ROWS;
            columns <= COLUMNS;
        end
    endtask

    always @(posedge clk) begin
        if (reset) active <= 1'b0;
        else if (start) begin
            active <= 1'b1;
            g <= {GW{1'b0}};
            begin_group;
        end else if (active) begin
            offset <= last_block ? {NW{1'b0}} : offset + ONE;
            c <= last_column ? {NW{1'b0}} : c + ONE;
            if (last_column) begin
                r <= last_row ? {NW{1'b0}} : r + ONE;
                if (r[0]) parent_row <= parent_row + (columns >> 1);
            end
            if (last_block && l == 3'd1) begin
                begin_group;
                g <= g + NEXT_GROUP;
                if (g == LAST_GROUP) active <= 1'b0;
            end else if (last_block) begin
                l <= l - 3'd1;
                base <= base - (size << 2);
                parent_row <= base;
                size <= size << 2;
                rows <= rows << 1;
                columns <= columns << 1;
            end
        end
    end
endmodule

// band_address: where a position of the flat (Mallat) order is stored. Combinational.
//
// Specification: docs/datapath.md, section 2. Memories are banked by sub-band, so that the four words
// of one butterfly go to four banks: band 0 = LL_L, 1 = LH, 2 = HL, 3 = HH.
// address in band 0: row-major in LL_L; in the others: number of the butterfly that made the word, level 1
// first, row-major within a level (level l starts at the sum over j < l of N / 4^j).
// Widths: row, column, address NW bits, enough for N.
module band_address #(
    parameter LEVELS = 3,
    parameter HEIGHT = 16,   // padded
    parameter WIDTH = 16,    // padded
    parameter NW = 9
) (
    input  wire [NW-1:0] row,
    input  wire [NW-1:0] column,
    output wire [2:0]    level,
    output wire [1:0]    band,
    output wire [NW-1:0] address
);
    localparam N = HEIGHT * WIDTH;
    integer l;
    integer start;
    reg below;
    reg right;
    /* verilator lint_off UNUSED */
    reg [31:0] r;
    reg [31:0] c;
    reg [31:0] found_level;
    reg [31:0] found_address;
    /* verilator lint_on UNUSED */
    reg [1:0] found_band;
    wire [31:0] wide_row = {{(32-NW){1'b0}}, row};
    wire [31:0] wide_column = {{(32-NW){1'b0}}, column};
    always @* begin
        found_level = LEVELS;
        found_band = 2'd0;
        found_address = wide_row * (WIDTH >> LEVELS) + wide_column;
        below = 1'b0;
        right = 1'b0;
        r = 0;
        c = 0;
        start = 0;
        // From the finest level inwards; the first that claims the position keeps it.
        for (l = 1; l <= LEVELS; l = l + 1) begin
            if (found_band == 2'd0) begin
                below = wide_row >= (HEIGHT >> l);
                right = wide_column >= (WIDTH >> l);
                if (below || right) begin
                    r = below ? wide_row - (HEIGHT >> l) : wide_row;
                    c = right ? wide_column - (WIDTH >> l) : wide_column;
                    found_level = l;
                    found_band = {below, right};
                    found_address = start + r * (WIDTH >> l) + c;
                end
            end
            start = start + (N >> (2 * l));
        end
    end
    assign level = found_level[2:0];
    assign band = found_band;
    assign address = found_address[NW-1:0];
endmodule

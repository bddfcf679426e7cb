// bitmap_pack: kept flags in flat order to 32-bit words of the index memory.
//
// Specification: docs/datapath.md, section 4: bit i of word j is flat index 32 j + i.
// Widths: 32-bit words; the last word's bits beyond N are 0.
// Timing: one flag a cycle with `valid`; `last` with flag N - 1; `write` with the 32nd flag of a word or
// the last one, in the same cycle. `restart` before the first flag.
module bitmap_pack (
    input  wire        clk,
    input  wire        restart,
    input  wire        valid,
    input  wire        flag,
    input  wire        last,
    output wire        write,
    output wire [31:0] word
);
    reg [31:0] collected;
    reg [4:0]  place;
    assign word = collected | ({31'd0, flag} << place);
    assign write = valid && (last || place == 5'd31);
    always @(posedge clk) begin
        if (restart || write) begin
            collected <= 32'd0;
            place <= 5'd0;
        end else if (valid) begin
            collected <= word;
            place <= place + 5'd1;
        end
    end
endmodule
